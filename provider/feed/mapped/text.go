package mapped

import (
	"fmt"
	"html"
	"strings"
)

// plain returns a text without its tags and comments, with its character references replaced
// once, and with one space for each run of white space. Null stays null.
func plain(v any) any {
	if v == nil {
		return nil
	}
	text, ok := v.(string)
	if !ok {
		return notText("plain", v)
	}
	if strings.Contains(text, "<") {
		text = withoutTags(text)
	}
	if strings.Contains(text, "&") {
		text = html.UnescapeString(text)
	}
	return strings.Join(strings.Fields(text), " ")
}

// withoutTags replaces tags and comments by a space, and what is in scripts and style sheets
// too. A tag inside of a word, such as <b>, joins its parts.
func withoutTags(text string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "<")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name := tagName(rest)
		end := ">"
		switch {
		case strings.HasPrefix(rest, "!--"):
			end = "-->"
		case name == "script" || name == "style":
			end = "</" + name
		case name == "" && !strings.HasPrefix(rest, "!") && !strings.HasPrefix(rest, "?"):
			out.WriteByte('<') // of a comparison
			text = rest
			continue
		}
		i := indexFold(rest, end)
		if i < 0 {
			return out.String() // a tag that is cut off
		}
		text = rest[i+len(end):]
		if strings.HasPrefix(end, "</") {
			_, text, _ = strings.Cut(text, ">")
		}
		if !inline[strings.TrimPrefix(name, "/")] {
			out.WriteByte(' ')
		}
	}
}

// inline are elements that do not end a word.
var inline = map[string]bool{"a": true, "b": true, "em": true, "font": true, "i": true, "small": true, "span": true, "strong": true, "sub": true, "sup": true, "u": true}

// tagName returns the name of the tag that begins a text behind its bracket, in lower case,
// with the slash of an end tag, or "".
func tagName(text string) string {
	n := 0
	if strings.HasPrefix(text, "/") {
		n = 1
	}
	start := n
	for n < len(text) && (text[n]|0x20 >= 'a' && text[n]|0x20 <= 'z' || n > start && isDigit(text[n])) {
		n++
	}
	if n == start {
		return ""
	}
	return strings.ToLower(text[:n])
}

// indexFold is strings.Index for an ASCII text in lower case, whatever the case in s.
func indexFold(s, lower string) int {
	for i := 0; i+len(lower) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(lower)], lower) {
			return i
		}
	}
	return -1
}

// lang returns the text in the first of the given languages that there is. The input is an
// object by language, or a list of objects of JSON-LD with @language and @value. A text is
// its own answer, and null stays null. A language is also found with a region: en is en-GB.
func lang(v any, args []any) any {
	texts := map[string]string{}
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		return v
	case map[string]any:
		if value, ok := v["@value"].(string); ok {
			return value
		}
		for name, value := range v {
			addText(texts, name, value)
		}
	case []any:
		for _, element := range v {
			element, _ := element.(map[string]any)
			name, _ := element["@language"].(string)
			addText(texts, name, element["@value"])
		}
	default:
		return fmt.Errorf("lang needs texts by language, not %s", describe(v))
	}
	for _, arg := range args {
		wanted, ok := arg.(string)
		if !ok {
			return notText("lang", arg)
		}
		wanted = strings.ToLower(wanted)
		if text, ok := texts[wanted]; ok {
			return text
		}
		best := ""
		for name := range texts {
			if strings.HasPrefix(name, wanted+"-") && (best == "" || name < best) {
				best = name
			}
		}
		if best != "" {
			return texts[best]
		}
	}
	return fmt.Errorf("lang finds none of the languages in %s", describe(v))
}

// addText adds a text of a language, or the first of several. An empty text counts as none.
func addText(texts map[string]string, language string, value any) {
	if all, ok := value.([]any); ok && len(all) > 0 {
		value = all[0]
	}
	if text, ok := value.(string); ok && strings.TrimSpace(text) != "" {
		texts[strings.ToLower(language)] = text
	}
}
