package sandbox

import (
	"net/url"

	"fever/provider/feed"
	"fever/provider/inspect"
)

// The two processes write messages in the encoding of gob, each a struct of which one part is set.
// The child reads those of the parent, and writes its own when it is asked to decode something.

// A toChild is a message to the child. The first one is the recipe. Then come, for each document, its
// header, what is stored, its body in parts, and the end of that.
type toChild struct {
	Recipe []byte
	Header *header
	Latest []feed.Stored
	Body   []byte
	End    *ending
}

// A header is what is known of a document before it is read.
type header struct {
	Again [][]byte         // rows to decode again, in the place of a document
	Find  []inspect.Wanted // to be found in the document, in the place of a feed of it
	Try   *try             // no feed of the document is wanted, but what became of its rows

	Op          string
	URL         *url.URL
	Page        feed.Page
	Links       []string
	ContentType string
	Charset     string
	HTTPStatus  int
	Bytes       int64
	MaxEvents   int
	Table       string
	Parents     bool // the rows of tables can be asked for
}

// A try says what is wanted of a document that somebody tries: see [inspect.Inspection].
type try struct{ List, Number int }

// An ending says how the body of a document ended, or what came of a question.
type ending struct {
	Failed bool // if not, it ended well, and the rest is not set
	Kind   feed.Kind
	Text   string
	Whole  bool
}

// An answer is what the parent says of the row of a table that the child has asked for.
type answer struct {
	Row   []byte
	Found bool
	End   ending
}

// A fromChild is a message of the child.
type fromChild struct {
	Unconfined string         // why it is not confined
	Rows       int64          // decoded so far
	Asks       *string        // the name of a row of a table
	Unchanged  []uint32       // where the events are among the Latest
	Events     []feed.Encoded // first those sold online
	Found      []inspect.Found
	Trial      []byte  // in JSON
	Result     *result // the last one for a document
}

// A result is a feed without its events, or why there is none.
type result struct {
	Failure *failure

	Rows, Seen, Ignored, Rejected int
	Rejections                    []feed.Rejection
	Items                         []feed.Item
	Next                          *feed.Page
	UpToDate                      bool
	Bytes                         int64
}

// A failure is a [feed.Error].
type failure struct {
	Kind  feed.Kind
	Op    string
	Text  string
	Whole bool
	Bytes int64
}
