// Package nullsink is a server with the routes of a queue that stores nothing:
// a bare net/http handler that reads each request's body and sends an answer
// of the size that a real one has. What it reaches is what any server on
// net/http could at best reach on the same machine.
//
// It promises answers that a client of the real thing accepts: status, headers
// and documents are right in form and number. The ids in them mean nothing.
package nullsink

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// MaxPost and MaxPage are the most messages of one post and of one list or
// claim for which an answer is prepared.
const (
	MaxPost = 250
	MaxPage = 20
)

// around is what a message of a post takes beside its body: package load sends
// them in this form. How many a post holds follows from its length.
const around = len(`{"ttl":86400,"body":},`)

// reply is one prepared answer.
type reply struct {
	status                 int
	body                   []byte
	length, location, kind []string // header values, shared by all answers
}

type sink struct {
	messageSize            int // in a post
	posted                 [MaxPost + 1]reply
	listed, claimed        [MaxPage + 1]reply
	created, done, unknown reply
	buffers                sync.Pool
}

// New returns the handler. body is what each message has for its body.
func New(body []byte) http.Handler {
	s := &sink{
		messageSize: len(body) + around,
		buffers:     sync.Pool{New: func() any { b := make([]byte, 16<<10); return &b }},
		created:     prepare(http.StatusCreated, "", "/v2/queues/bench"),
		done:        prepare(http.StatusNoContent, "", ""),
	}
	s.unknown = prepare(http.StatusNotFound, `{"title":"Not found","description":"The null sink has no such route."}`, "")
	for n := range s.posted {
		s.posted[n] = prepare(http.StatusCreated, posted(n), "/v2/queues/bench/messages?ids="+strings.Join(ids(n), ","))
	}
	for n := range s.listed {
		s.listed[n] = prepare(http.StatusOK, `{"messages":[`+messages(n, body, "")+
			`],"links":[{"rel":"next","href":"/v2/queues/bench/messages?limit=`+strconv.Itoa(n)+`&marker=1048576"}]}`, "")
		s.claimed[n] = prepare(http.StatusCreated, `{"messages":[`+messages(n, body, "?claim_id="+id(0))+`]}`, "/v2/queues/bench/claims/"+id(0))
	}
	return s
}

func prepare(status int, body, location string) reply {
	r := reply{status: status, body: []byte(body)}
	if status != http.StatusNoContent {
		r.length = []string{strconv.Itoa(len(body))}
	}
	if body != "" {
		r.kind = []string{"application/json"}
	}
	if location != "" {
		r.location = []string{location}
	}
	return r
}

// id returns an id as long as those of the embedded store.
func id(n int) string {
	s := strconv.FormatUint(0xb0000000000000+uint64(n), 36)
	return strings.Repeat("0", idLength-len(s)) + s
}

const idLength = 24

func ids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = id(i)
	}
	return list
}

func posted(n int) string {
	var b strings.Builder
	for i, id := range ids(n) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"/v2/queues/bench/messages/` + id + `"`)
	}
	return `{"resources":[` + b.String() + `]}`
}

func messages(n int, body []byte, query string) string {
	var b strings.Builder
	for i, id := range ids(n) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"id":"` + id + `","href":"/v2/queues/bench/messages/` + id + query + `","ttl":86400,"age":12,"body":`)
		b.Write(body)
		b.WriteByte('}')
	}
	return b.String()
}

// ServeHTTP answers one request.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	size := s.drain(r.Body)
	a := s.choose(r, size)
	h := w.Header()
	if a.kind != nil {
		h["Content-Type"] = a.kind
	}
	if a.length != nil {
		h["Content-Length"] = a.length
	}
	if a.location != nil {
		h["Location"] = a.location
	}
	w.WriteHeader(a.status)
	if len(a.body) > 0 {
		_, _ = w.Write(a.body) // a client that is gone needs no answer
	}
}

// choose returns the answer to a request with a body of the given size.
func (s *sink) choose(r *http.Request, size int) *reply {
	path := r.URL.Path
	switch r.Method {
	case http.MethodPost:
		switch {
		case strings.HasSuffix(path, "/messages"):
			return &s.posted[min(size/s.messageSize, MaxPost)]
		case strings.HasSuffix(path, "/claims"):
			return &s.claimed[limit(r.URL.RawQuery)]
		}
	case http.MethodGet:
		if strings.HasSuffix(path, "/messages") {
			return &s.listed[limit(r.URL.RawQuery)]
		}
	case http.MethodPut:
		return &s.created
	case http.MethodDelete:
		return &s.done
	}
	return &s.unknown
}

// limit returns the parameter of that name, which is the first, or 10.
func limit(query string) int {
	value, found := strings.CutPrefix(query, "limit=")
	value, _, _ = strings.Cut(value, "&")
	n, err := strconv.Atoi(value)
	if !found || err != nil || n < 0 {
		return 10
	}
	return min(n, MaxPage)
}

// drain reads a body to its end and returns its length.
func (s *sink) drain(body io.Reader) int {
	b := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(b)
	total := 0
	for {
		n, err := body.Read(*b)
		total += n
		if err != nil {
			return total
		}
	}
}
