// Package wiretest reads the golden cases of the API: exchanges of requests
// and expected replies, in files that people can read. Every front replays
// them through its own transport.
//
// A file holds exchanges that run in order on one empty server:
//
//	What the file is about, in any words.
//	@set admin checksums
//
//	=== the name of an exchange
//	@after 30s
//	POST /v2/queues/billing/messages
//	Client-ID: 30387f003b9e11e3b19171861300734d
//	-X-Project-ID
//
//	{"messages": [{"body": 1}]}
//	--- 201
//	Location: /v2/queues/billing/messages?ids={{m1}}
//
//	{"resources": ["/v2/queues/billing/messages/{{m1}}"]}
//
// @set names settings that differ from the defaults; @after moves the clock
// before the request. A request has the headers Client-ID and X-Project-ID
// unless a line with a minus takes one away. Above the blank line stand
// headers, below it the body.
//
// {{name}} in an expected reply captures what stands there, as an id, or must
// equal what it captured before; in a request it stands for that. A JSON
// string "{{int}}" matches any whole number that is not negative, "{{text}}"
// any string but the empty one. Other JSON is compared by value, the order of
// members aside; numbers are compared as texts. Of the significant headers,
// a reply has those expected and no others.
package wiretest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// significant are the headers a reply has exactly when a case says so.
func significant() []string {
	return []string{"Location", "Allow", "Accept-Patch", "Cache-Control", "Content-Location"}
}

// File is a file of exchanges.
type File struct {
	Name      string
	Settings  []string // what follows @set
	Exchanges []Exchange
}

// Exchange is a request and the reply it should get.
type Exchange struct {
	Name  string
	Line  int           // where it starts
	After time.Duration // how far to move the clock before
	Request
	Reply
}

// Request is what a client sends. Texts may hold captures; see Captures.Fill.
type Request struct {
	Method, Target string
	Header         http.Header // beyond the usual
	Without        []string    // names of usual headers that are not sent
	Body           string
}

// Reply is what the server should answer.
type Reply struct {
	Status   int
	Expected http.Header
	JSON     string // empty: no body
}

// Read reads the files of a folder, by name.
func Read(folder fs.FS) ([]File, error) {
	names, err := fs.Glob(folder, "*.txt")
	if err != nil {
		return nil, err
	}
	var files []File
	for _, name := range names {
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		f, err := parse(strings.TrimSuffix(path.Base(name), ".txt"), string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files = append(files, f)
	}
	return files, nil
}

// parse reads the text of one file.
func parse(name, text string) (File, error) {
	f := File{Name: name}
	lines := strings.Split(text, "\n")
	start := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "=== ") })
	if start < 0 {
		return f, fmt.Errorf("no exchange")
	}
	for _, line := range lines[:start] {
		if settings, ok := strings.CutPrefix(line, "@set "); ok {
			f.Settings = append(f.Settings, strings.Fields(settings)...)
		}
	}
	for start < len(lines) {
		end := start + 1
		for end < len(lines) && !strings.HasPrefix(lines[end], "=== ") {
			end++
		}
		x, err := parseExchange(lines[start:end])
		if err != nil {
			return f, fmt.Errorf("line %d: %w", start+1, err)
		}
		x.Line = start + 1
		f.Exchanges = append(f.Exchanges, x)
		start = end
	}
	return f, nil
}

func parseExchange(lines []string) (Exchange, error) {
	x := Exchange{Name: strings.TrimPrefix(lines[0], "=== ")}
	lines = lines[1:]
	for len(lines) > 0 && strings.HasPrefix(lines[0], "@after ") {
		d, err := time.ParseDuration(strings.TrimPrefix(lines[0], "@after "))
		if err != nil {
			return x, err
		}
		x.After += d
		lines = lines[1:]
	}
	cut := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "--- ") })
	if cut < 1 {
		return x, fmt.Errorf("a request and a line with --- and a status are expected")
	}
	if n, err := fmt.Sscanf(lines[0], "%s %s", &x.Method, &x.Target); n != 2 || err != nil {
		return x, fmt.Errorf("a method and a target are expected, not %q", lines[0])
	}
	if _, err := fmt.Sscanf(lines[cut], "--- %d", &x.Status); err != nil {
		return x, fmt.Errorf("a status is expected: %q", lines[cut])
	}
	var err error
	if x.Header, x.Without, x.Body, err = parseMessage(lines[1:cut]); err != nil {
		return x, err
	}
	if x.Expected, _, x.JSON, err = parseMessage(lines[cut+1:]); err != nil {
		return x, err
	}
	return x, nil
}

func parseMessage(lines []string) (h http.Header, without []string, body string, err error) {
	h = http.Header{}
	for i, line := range lines {
		if line == "" {
			return h, without, strings.Trim(strings.Join(lines[i:], "\n"), "\n"), nil
		}
		if name, ok := strings.CutPrefix(line, "-"); ok {
			without = append(without, name)
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return h, nil, "", fmt.Errorf("a header is expected, not %q", line)
		}
		h.Add(name, strings.TrimSpace(value))
	}
	return h, without, "", nil
}

// Captures are the texts that placeholders stand for.
type Captures map[string]string

var placeholder = regexp.MustCompile(`\{\{(\w+)\}\}`)

// Fill puts the captured texts into a text of a request.
func (c Captures) Fill(text string) (string, error) {
	var missing error
	out := placeholder.ReplaceAllStringFunc(text, func(p string) string {
		value, ok := c[p[2:len(p)-2]]
		if !ok {
			missing = fmt.Errorf("nothing was captured for %s", p)
		}
		return value
	})
	return out, missing
}

// Match compares a reply with the expected one and adds to the captures. It
// returns what differs first.
func (c Captures) Match(want Reply, status int, header http.Header, body []byte) error {
	if status != want.Status {
		return fmt.Errorf("status %d, want %d", status, want.Status)
	}
	names := slices.Collect(maps.Keys(want.Expected))
	for _, name := range append(names, significant()...) {
		if err := c.text(want.Expected.Get(name), header.Get(name)); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	}
	if want.JSON == "" {
		if len(body) > 0 {
			return fmt.Errorf("a body where none should be")
		}
		return nil
	}
	expected, err := decode([]byte(want.JSON))
	if err != nil {
		return fmt.Errorf("the expected body is not JSON: %w", err)
	}
	got, err := decode(body)
	if err != nil {
		return fmt.Errorf("the body is not JSON: %w", err)
	}
	return c.value("", expected, got)
}

func decode(text []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return v, dec.Decode(&v)
}

func (c Captures) value(at string, want, got any) error {
	switch want := want.(type) {
	case map[string]any:
		return c.object(at, want, got)
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Errorf("%s: %s, want %s", at, show(got), show(want))
		}
		for i := range want {
			if err := c.value(fmt.Sprintf("%s/%d", at, i), want[i], list[i]); err != nil {
				return err
			}
		}
		return nil
	case string:
		if want == "{{int}}" {
			if n, ok := got.(json.Number); !ok || !regexp.MustCompile(`^\d+$`).MatchString(n.String()) {
				return fmt.Errorf("%s: %s, want a whole number", at, show(got))
			}
			return nil
		}
		text, ok := got.(string)
		if !ok {
			return fmt.Errorf("%s: %s, want %s", at, show(got), show(want))
		}
		if err := c.text(want, text); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		return nil
	default:
		if want != got {
			return fmt.Errorf("%s: %s, want %s", at, show(got), show(want))
		}
		return nil
	}
}

func (c Captures) object(at string, want map[string]any, got any) error {
	object, ok := got.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: %s, want an object", at, show(got))
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		value, ok := object[name]
		if !ok {
			return fmt.Errorf("%s/%s is missing", at, name)
		}
		if err := c.value(at+"/"+name, want[name], value); err != nil {
			return err
		}
	}
	for name := range object {
		if _, ok := want[name]; !ok {
			return fmt.Errorf("%s/%s should not be there: %s", at, name, show(object[name]))
		}
	}
	return nil
}

// text compares a text that may hold placeholders, and captures.
func (c Captures) text(want, got string) error {
	if want == "{{text}}" {
		if got == "" {
			return fmt.Errorf("an empty text")
		}
		return nil
	}
	var pattern strings.Builder
	var names []string
	last := 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(want, -1) {
		pattern.WriteString(regexp.QuoteMeta(want[last:at[0]]))
		last = at[1]
		name := want[at[2]:at[3]]
		if known, ok := c[name]; ok {
			pattern.WriteString(regexp.QuoteMeta(known))
			continue
		}
		names = append(names, name)
		pattern.WriteString(`([\w.-]+)`)
	}
	pattern.WriteString(regexp.QuoteMeta(want[last:]))
	found := regexp.MustCompile("^(?s:" + pattern.String() + ")$").FindStringSubmatch(got)
	if found == nil {
		return fmt.Errorf("%q, want %q", got, want)
	}
	for i, name := range names {
		c[name] = found[i+1]
	}
	return nil
}

func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
