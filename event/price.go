package event

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/govalues/decimal"
)

// A Price is an exact decimal amount, zero or more. It has no currency because feeds name
// none. Equal amounts are == ("20.00" is 20). The zero value is an unknown price.
type Price struct {
	amount decimal.Decimal // trimmed of trailing zeros, so that equal is ==
	known  bool
}

// ParsePrice reads a decimal as XML writes one (XML Schema Part 2, section 3.2.3): digits
// with an optional sign and an optional point, which may come first or last. It refuses
// negative amounts, and those with more than 19 significant digits, which it cannot keep
// exactly.
func ParsePrice(s string) (Price, error) {
	unsigned, negative := strings.CutPrefix(s, "-")
	if !negative {
		unsigned, _ = strings.CutPrefix(s, "+")
	}
	whole, fraction, _ := strings.Cut(unsigned, ".")
	if digits := whole + fraction; digits == "" || strings.Trim(digits, "0123456789") != "" {
		return Price{}, fmt.Errorf("price %s is not a number", quote(s))
	}
	fraction = strings.TrimRight(fraction, "0")
	text := whole
	if fraction != "" {
		text += "." + fraction
	} else if whole == "" {
		text = "0"
	}
	amount, err := decimal.Parse(text)
	if err != nil || amount.Scale() != len(fraction) { // a smaller scale: it was rounded
		return Price{}, fmt.Errorf("price %s has more than %d digits", quote(s), decimal.MaxPrec)
	}
	if negative && !amount.IsZero() {
		return Price{}, fmt.Errorf("price %s is negative", quote(s))
	}
	return Price{amount: amount, known: true}, nil
}

// Known reports whether the price is known.
func (p Price) Known() bool { return p.known }

// Compare returns -1, 0 or +1 as p is less than, equal to, or more than q. An unknown price
// counts as zero.
func (p Price) Compare(q Price) int { return p.amount.Cmp(q.amount) }

// String returns the amount in its shortest form ("20", "20.5"), or "" when it is
// unknown.
func (p Price) String() string {
	if !p.known {
		return ""
	}
	return p.amount.String()
}

// AppendJSON appends the amount as a JSON number, or null, to b.
func (p Price) AppendJSON(b []byte) []byte {
	if !p.known {
		return append(b, "null"...)
	}
	b, _ = p.amount.AppendText(b) // documented never to fail
	return b
}

// MarshalJSON returns what [Price.AppendJSON] appends.
func (p Price) MarshalJSON() ([]byte, error) { return p.AppendJSON(nil), nil }

// UnmarshalJSON accepts null or a JSON number that [ParsePrice] accepts.
func (p *Price) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*p = Price{}
		return nil
	}
	q, err := ParsePrice(string(b))
	if err != nil {
		return err
	}
	*p = q
	return nil
}

// quote returns s in quotes for a message, shortened when it is long.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s) // unlike fmt it lets s stay on the stack
}
