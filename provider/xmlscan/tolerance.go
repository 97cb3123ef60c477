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

var toleranceNames = []struct {
	bit  Tolerance
	name string
}{
	{LeadingBlanks, "leading-blanks"},
	{ControlCharacters, "control-characters"},
}

// MarshalText returns the names of what is tolerated, with commas between them. The
// error is always nil.
func (t Tolerance) MarshalText() ([]byte, error) {
	var names []string
	for _, n := range toleranceNames {
		if t&n.bit != 0 {
			names = append(names, n.name)
		}
	}
	return []byte(strings.Join(names, ",")), nil
}

// UnmarshalText reads what [Tolerance.MarshalText] returns, with white space around the
// names or without.
func (t *Tolerance) UnmarshalText(text []byte) error {
	var all Tolerance
next:
	for part := range strings.SplitSeq(string(text), ",") {
		part = strings.TrimSpace(part)
		for _, n := range toleranceNames {
			if part == n.name {
				all |= n.bit
				continue next
			}
		}
		if part != "" {
			return fmt.Errorf("%.40q is neither %s nor %s", part, toleranceNames[0].name, toleranceNames[1].name)
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
