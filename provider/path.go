package provider

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A path leads to one value in a document: the first that it fits.
type path struct {
	steps []string // names of members or elements, from the outside in
	isXML bool
	attr  string // of XML: the attribute that has the value; empty: the text of the element has it
	where string // of XML: the attribute that the last element must have; empty: any element fits
	is    string // the value of that
}

// maxSteps bounds the names in a path.
const maxSteps = 32

var (
	jsonPath = regexp.MustCompile(`^(?:\.(?:[-\w$@:]+|"(?:[^"\\]|\\.)+"))+$`)
	jsonStep = regexp.MustCompile(`\.([-\w$@:]+|"(?:[^"\\]|\\.)+")`)
	xmlPath  = regexp.MustCompile(`^((?:/[\pL_][-\pL\d_.:]*)+)(?:\[@([\pL_][-\pL\d_.:]*)="([^"]*)"\])?(?:/@([\pL_][-\pL\d_.:]*))?$`)
)

// parsePath reads a path into a document of JSON, such as .links.next or ."@odata.nextLink",
// or of XML: /feed/next, /feed/@next, or /feed/link[@rel="next"]/@href. Names of XML are
// compared with their prefix, as they are written.
func parsePath(text string) (path, error) {
	var p path
	switch {
	case jsonPath.MatchString(text):
		for _, step := range jsonStep.FindAllStringSubmatch(text, -1) {
			name := step[1]
			if name[0] == '"' {
				var err error
				if name, err = strconv.Unquote(name); err != nil {
					return path{}, fmt.Errorf("the name %.40s is not quoted as it is in JSON", step[1])
				}
			}
			p.steps = append(p.steps, name)
		}
	case xmlPath.MatchString(text):
		part := xmlPath.FindStringSubmatch(text)
		p = path{steps: strings.Split(part[1][1:], "/"), isXML: true, where: part[2], is: part[3], attr: part[4]}
	default:
		return path{}, fmt.Errorf(`%.100q is not a path such as .links.next, or /feed/link[@rel="next"]/@href in XML`, text)
	}
	if len(p.steps) > maxSteps {
		return path{}, errors.New("a path of more than 32 names")
	}
	return p, nil
}
