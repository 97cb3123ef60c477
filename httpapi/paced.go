package httpapi

import (
	"net/http"
	"time"
)

// minRate is how fast a client has to read on the average, in bytes per second, beyond
// what it may read in writeTimeout: half of what a bad mobile line (200 kbit/s) brings.
const minRate = 12 << 10

// A paced writer sends an answer in several pieces, and gives the client more time with
// each that it has taken. So an answer may take as long as its size needs, and nobody
// can hold one for long without reading it.
type paced struct {
	response *response
	began    time.Time
	sent     int // bytes
}

// to makes p write to w, an answer that begins now.
func (p *paced) to(w *response) *paced {
	*p = paced{response: w, began: time.Now()}
	return p
}

func (p *paced) Write(b []byte) (int, error) {
	n, err := p.response.Write(b)
	if err != nil {
		return n, err
	}
	p.sent += n
	if conn := p.response.connection.conn; conn != nil {
		conn.waits(forAnswer)
	}
	end := p.began.Add(writeTimeout + time.Duration(p.sent)*time.Second/minRate)
	if most := time.Now().Add(writeTimeout); most.Before(end) {
		end = most
	}
	_ = http.NewResponseController(p.response).SetWriteDeadline(end) // it fails when there is none that could come
	return n, nil
}
