package mapped

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"fever/event"
)

// maxPriceText bounds a text with prices, in bytes. The feed brings it, and to look for numbers
// in a mebibyte would take longer than a program may.
const maxPriceText = 4000

// price returns the only number in a text, as a decimal with a point.
func price(v any) any {
	found, err := amounts("price", v)
	switch {
	case err != nil:
		return err
	case len(found) == 1:
		return found[0]
	}
	return fmt.Errorf("price %s has %d numbers; prices gives the lowest and the highest", describe(v), len(found))
}

// prices returns the lowest and the highest number in a text, as an array of two.
func prices(v any) any {
	found, err := amounts("prices", v)
	if err != nil {
		return err
	}
	ordered := slices.SortedStableFunc(slices.Values(found), func(a, b string) int {
		left, _ := event.ParsePrice(a) // amounts has read them
		right, _ := event.ParsePrice(b)
		return left.Compare(right)
	})
	return []any{ordered[0], ordered[len(ordered)-1]}
}

// amounts returns the numbers in a value: a number, or a text with one or more. None of them
// is negative.
func amounts(name string, v any) ([]string, error) {
	var found []string
	if n, ok := number(v); ok {
		found = []string{n}
	} else {
		text, ok := v.(string)
		switch {
		case !ok:
			return nil, fmt.Errorf("%s of %s", name, describe(v))
		case len(text) > maxPriceText:
			return nil, fmt.Errorf("%s of a text of %d bytes; the longest has %d", name, len(text), maxPriceText)
		}
		var err error
		if found, err = amountsIn(text); err != nil {
			return nil, fmt.Errorf("%s %s: %w", name, describe(v), err)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s %s has no number", name, describe(v))
	}
	for _, amount := range found {
		if _, err := event.ParsePrice(amount); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// amountsIn returns the numbers in a text.
func amountsIn(text string) ([]string, error) {
	var found []string
	for i := 0; i < len(text); {
		if !isDigit(text[i]) {
			i++
			continue
		}
		end := i + 1
		for end < len(text) {
			if n := separator(text[end:]); isDigit(text[end]) {
				end++
			} else if n > 0 && end+n < len(text) && isDigit(text[end+n]) {
				end += n
			} else {
				break
			}
		}
		if err := oneNumber(text[i:end], text[end:]); err != nil {
			return nil, err
		}
		amount, err := decimal(text[i:end])
		if err != nil {
			return nil, err
		}
		sign, err := signBefore(text[:i])
		if err != nil {
			return nil, err
		}
		found = append(found, sign+amount)
		i = end
	}
	return found, nil
}

// oneNumber refuses a number that a space and exactly three digits follow: "1 250" may be one
// thousand, or two prices.
func oneNumber(number, after string) error {
	space, size := utf8.DecodeRuneInString(after)
	if len(number) > 3 || strings.Trim(number, "0123456789") != "" || number[0] == '0' || !unicode.IsSpace(space) {
		return nil
	}
	group := after[size:]
	digits := len(group) - len(strings.TrimLeft(group, "0123456789"))
	if digits != 3 {
		return nil
	}
	return fmt.Errorf("%q may be thousands or two numbers", number+after[:size+digits])
}

// signBefore returns the sign of a number that follows the text. A hyphen behind a word, a
// digit or a space and a digit is none: "5-7", "from 5 - 7".
func signBefore(before string) (string, error) {
	last, size := utf8.DecodeLastRuneInString(before)
	rest := strings.TrimRight(before[:len(before)-size], " \u00a0€$£")
	switch {
	case last == '.' || last == ',':
		return "", errors.New("a number begins with a point or comma")
	case (last == '-' || last == '\u2212') && (rest == "" || strings.HasSuffix(rest, ":")):
		return "-", nil
	}
	return "", nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// separator returns the length of the separator inside a number with which a text begins, or
// zero. A plain space separates two numbers.
func separator(text string) int {
	for _, s := range []string{".", ",", "'", "\u2019", "\u00a0", "\u202f"} {
		if strings.HasPrefix(text, s) {
			return len(s)
		}
	}
	return 0
}

// decimal returns a number of digits and separators as a decimal with a point. Of two kinds
// of separators the last is the decimal one. One kind, several times, groups digits by three.
// A single one before three digits may be either, and is refused.
func decimal(text string) (string, error) {
	var groups, separators []string
	for rest := text; ; {
		n := 0
		for n < len(rest) && isDigit(rest[n]) {
			n++
		}
		groups = append(groups, rest[:n])
		if n == len(rest) {
			break
		}
		size := separator(rest[n:])
		separators = append(separators, rest[n:n+size])
		rest = rest[n+size:]
	}
	n := len(separators)
	if n == 0 {
		return text, nil
	}
	last := groups[n]
	point := n > 1 && separators[n-1] != separators[0] || n == 1 && (len(last) != 3 || groups[0] == "0")
	switch s := separators[n-1]; {
	case point && strings.TrimLeft(s, "\u00a0\u202f") == "":
		return "", fmt.Errorf("%q is not a number", text)
	case n == 1 && !point && (s == "." || s == ","):
		return "", fmt.Errorf("%q may be thousands or a fraction", text)
	}
	grouped := groups
	if point {
		grouped, separators = groups[:n], separators[:n-1]
	}
	for i, s := range separators {
		if s != separators[0] || len(grouped[i+1]) != 3 || len(grouped[0]) > 3 {
			return "", fmt.Errorf("%q is not a number", text)
		}
	}
	whole := strings.Join(grouped, "")
	if point {
		return whole + "." + last, nil
	}
	return whole, nil
}
