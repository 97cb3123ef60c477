package store

import (
	"bytes"
	"cmp"

	"fever/event"
)

// Columns are the event's part of a [Value] for a store with columns: what an entry needs apart
// from all else, so that loading entries decodes nothing.
type Columns struct {
	Title, Start, End, Lowest, Highest string

	Detail []byte
}

// detailFields are what [Columns] have no text for.
type detailFields struct {
	_         struct{} `cbor:",toarray"`
	Organizer string
	SellFrom  string
	SellTo    string
	SoldOut   bool
	Zones     []byte
}

// SplitEvent returns the columns of an event that [Encoder.Encode] encoded.
func SplitEvent(encoded []byte) (Columns, error) {
	var e eventFields
	if err := decoding.Unmarshal(encoded, &e); err != nil {
		return Columns{}, err
	}
	detail, err := encoding.Marshal(&detailFields{Organizer: e.Organizer, SellFrom: e.SellFrom, SellTo: e.SellTo, SoldOut: e.SoldOut, Zones: e.Zones})
	return Columns{Title: e.Title, Start: e.Start, End: e.End, Lowest: e.Lowest, Highest: e.Highest, Detail: detail}, err
}

// Event is the inverse of [SplitEvent].
func (c *Columns) Event() ([]byte, error) {
	var d detailFields
	if err := decoding.Unmarshal(c.Detail, &d); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err := encoding.MarshalToBuffer(&eventFields{
		Title: c.Title, Organizer: d.Organizer, Start: c.Start, End: c.End,
		SellFrom: d.SellFrom, SellTo: d.SellTo, SoldOut: d.SoldOut, Lowest: c.Lowest, Highest: c.Highest, Zones: d.Zones,
	}, &b)
	return b.Bytes(), err
}

// Entry decodes what [event.Summarize] needs. It does not use the detail.
func (c *Columns) Entry(key []byte) (e event.Event, lowest, highest event.Price, err error) {
	var err1, err2, err3, err4, err5 error
	e.Key, err1 = event.ParseKey(key)
	e.Title = c.Title
	e.Start, e.TimeZone, err2 = parseZoned(c.Start)
	e.End, err3 = parseLocal(c.End)
	lowest, err4 = parsePrice(c.Lowest)
	highest, err5 = parsePrice(c.Highest)
	return e, lowest, highest, cmp.Or(err1, err2, err3, err4, err5)
}
