package xmlscan

import (
	"fmt"
	"io"
	"strings"
)

// A Tolerance says which violations of XML are read over. The zero value tolerates none.
type Tolerance uint8

// The violations that can be tolerated.
const (
	LeadingBlanks     Tolerance = 1 << iota // white space before the XML declaration
	ControlCharacters                       // below U+0020, literally or as references: each is read as a space
)

var toleranceNames = map[Tolerance]string{LeadingBlanks: "leading-blanks", ControlCharacters: "control-characters"}

// MarshalText returns the names of the violations, separated by commas. The error is always
// nil.
func (t Tolerance) MarshalText() ([]byte, error) {
	var names []string
	for _, bit := range []Tolerance{LeadingBlanks, ControlCharacters} {
		if t&bit != 0 {
			names = append(names, toleranceNames[bit])
		}
	}
	return []byte(strings.Join(names, ",")), nil
}

// UnmarshalText reads what [Tolerance.MarshalText] returns. White space around the names is
// ignored.
func (t *Tolerance) UnmarshalText(text []byte) error {
	var all Tolerance
	for part := range strings.SplitSeq(string(text), ",") {
		switch strings.TrimSpace(part) {
		case "":
		case toleranceNames[LeadingBlanks]:
			all |= LeadingBlanks
		case toleranceNames[ControlCharacters]:
			all |= ControlCharacters
		default:
			return fmt.Errorf("%.40q is neither %s nor %s", strings.TrimSpace(part), toleranceNames[LeadingBlanks], toleranceNames[ControlCharacters])
		}
	}
	*t = all
	return nil
}

// A blanker replaces the control characters that XML does not allow by spaces. It works in
// every encoding that contains ASCII unchanged.
type blanker struct{ io.Reader }

func (b blanker) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	for i, c := range p[:n] {
		if c < ' ' && class[c]&isLegal == 0 {
			p[i] = ' '
		}
	}
	return n, err
}
