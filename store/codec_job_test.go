package store

import (
	"encoding/binary"
	"encoding/json"
	"testing"
)

// FuzzDecodeJob decodes anything that has the right checksum. What it accepts is what
// would be written, to the byte.
func FuzzDecodeJob(f *testing.F) {
	f.Fuzz(func(t *testing.T, key, b []byte) {
		b = binary.BigEndian.AppendUint32(b, checksum(key, b))
		job, err := DecodeJob(key, b)
		if err != nil {
			return
		}
		if job.ID == 0 || job.State == Pending {
			t.Errorf("%+v is never stored", job)
		}
		if _, err := json.Marshal(job); err != nil {
			t.Errorf("%+v: %v", job, err)
		}
		key2, b2, err := job.Encode()
		if err != nil || string(key2) != string(key) || string(b2) != string(b) {
			t.Errorf("%+v became %x: %x, %v", job, key2, b2, err)
		}
	})
}
