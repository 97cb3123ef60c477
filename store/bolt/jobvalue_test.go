package bolt

import (
	"encoding/json"
	"testing"

	"fever/store"
)

func TestJobJSON(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		job  store.Job
		want string
	}{
		{exampleJobs[0], `{"id":4,"provider":"feverup","trigger":"manual","state":"running",` +
			`"started":"2021-02-01T10:03:00.5Z","attempts":0,"http_status":0,"bytes":0,"not_modified":false,` +
			`"seen":0,"new":0,"changed":0,"unchanged":0,"ignored":0,"rejected":0,"gone":0}`},
		{exampleJobs[1], `{"id":3,"provider":"feverup","trigger":"schedule","state":"failed",` +
			`"scheduled":"2021-02-01T10:02:00.5Z","started":"2021-02-01T10:02:00.5Z","finished":"2021-02-01T10:02:30.5Z",` +
			`"attempts":3,"http_status":503,"bytes":0,"not_modified":false,` +
			`"seen":0,"new":0,"changed":0,"unchanged":0,"ignored":0,"rejected":0,"gone":0,` +
			`"kind":"timeout","message":"fetch from example.com: not done within 10s"}`},
		{exampleJobs[2], `{"id":2,"provider":"feverup","trigger":"schedule","state":"completed",` +
			`"scheduled":"2021-02-01T10:01:00Z","started":"2021-02-01T10:01:00.5Z","finished":"2021-02-01T10:01:01.75Z",` +
			`"attempts":2,"http_status":200,"bytes":1771,"not_modified":false,` +
			`"seen":3,"new":0,"changed":1,"unchanged":0,"ignored":1,"rejected":1,"gone":0,` +
			`"rejections":[{"base_id":"444","event_id":"1642","line":21,"reason":"no such day"}]}`},
	} {
		if got := string(must(json.Marshal(tc.job))); got != tc.want {
			t.Errorf("%s\nnot\n%s", got, tc.want)
		}
	}
}
