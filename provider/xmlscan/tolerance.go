package xmlscan

import (
	"fmt"
	"io"
	"strings"
)

// A Tolerance says what of an XML document is read although XML does not allow it. The
// zero value holds to the letter.
type Tolerance uint8

// What can be tolerated.
const (
	LeadingBlanks     Tolerance = 1 << iota // white space before the XML declaration
	ControlCharacters                       // below U+0020, as they are or as references: a space
)

var toleranceNames = map[Tolerance]string{LeadingBlanks: "leading-blanks", ControlCharacters: "control-characters"}

// MarshalText returns the names of what is tolerated, with commas between them. The
// error is always nil.
func (t Tolerance) MarshalText() ([]byte, error) {
	var names []string
	for _, bit := range []Tolerance{LeadingBlanks, ControlCharacters} {
		if t&bit != 0 {
			names = append(names, toleranceNames[bit])
		}
	}
	return []byte(strings.Join(names, ",")), nil
}

// UnmarshalText reads what [Tolerance.MarshalText] returns, with white space around the
// names or without.
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

// A blanker puts spaces in the place of the control characters that XML does not allow,
// in any encoding in which ASCII is what it is.
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
