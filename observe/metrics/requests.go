package metrics

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"zaqar/internal/histogram"
)

// Requests counts HTTP requests by route, method and status. The place of each
// count is known beforehand, so that counting takes no memory and no lock.
type Requests struct {
	routes []string // the last one is that of unknown paths
	cells  []cell   // by route, then method
}

// cell is what is counted of a method of a route.
type cell struct {
	statuses [len(statuses) + 1]atomic.Uint64 // the last one is for others
	took     *histogram.Histogram             // ns
	waited   *histogram.Histogram             // ns, of requests that asked to wait
	in, out  atomic.Int64                     // bytes
}

// methods are those that are told apart.
var methods = [...]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodHead, http.MethodOptions, "other"}

// statuses are those that are told apart: what the API answers with, and 499
// for clients that went away.
var statuses = [...]int{200, 201, 204, 300, 304, 400, 401, 403, 404, 405, 406, 409, 411, 412, 413, 415, 429, 431, 499, 500, 501, 503}

// NewRequests returns the counts of requests to the routes.
func NewRequests(routes []string) *Requests {
	r := &Requests{routes: append(append([]string(nil), routes...), "unknown")}
	r.cells = make([]cell, len(r.routes)*len(methods))
	for i := range r.cells {
		r.cells[i].took = histogram.New(histogram.Durations())
		r.cells[i].waited = histogram.New(waits())
	}
	return r
}

// waits are bounds for requests that wait for messages, up to an hour.
func waits() []int64 {
	bounds := []int64{10, 100, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000, 300_000, 3_600_000}
	for i := range bounds {
		bounds[i] *= int64(time.Millisecond)
	}
	return bounds
}

// Request is one request that was served.
type Request struct {
	Route   int // its place in what NewRequests was told; other values: unknown
	Method  string
	Status  int
	In, Out int64 // bytes of bodies
	Took    time.Duration
	Waits   bool // it asked to wait
}

// Count counts a request that was answered. It may be called concurrently.
func (r *Requests) Count(q *Request) {
	route := q.Route
	if route < 0 || route >= len(r.routes) {
		route = len(r.routes) - 1
	}
	c := &r.cells[route*len(methods)+methodIndex(q.Method)]
	c.statuses[statusIndex(q.Status)].Add(1)
	if q.In > 0 {
		c.in.Add(q.In)
	}
	if q.Out > 0 {
		c.out.Add(q.Out)
	}
	if q.Waits {
		c.waited.Observe(int64(q.Took))
	} else {
		c.took.Observe(int64(q.Took))
	}
}

func methodIndex(method string) int {
	for i, m := range methods[:len(methods)-1] {
		if m == method {
			return i
		}
	}
	return len(methods) - 1
}

func statusIndex(status int) int {
	for i, s := range statuses {
		if s == status {
			return i
		}
	}
	return len(statuses)
}

// Families describes the metrics of requests.
func (r *Requests) Families() []Family {
	routed := []string{"route", "method"}
	return []Family{
		{Name: "zaqar_http_requests_total", Type: Counter, Labels: []string{"route", "method", "status"},
			Help: "Requests answered. Status 499: the client went away before the answer."},
		{Name: "zaqar_http_request_duration_seconds", Type: Histogram, Labels: routed, Scale: Seconds,
			Help: "From the head of a request to its answer, for requests that did not ask to wait."},
		{Name: "zaqar_http_wait_duration_seconds", Type: Histogram, Labels: routed, Scale: Seconds,
			Help: "From the head of a request to its answer, for requests with wait."},
		{Name: "zaqar_http_request_body_bytes_total", Type: Counter, Labels: routed,
			Help: "Bytes of request bodies that were read."},
		{Name: "zaqar_http_response_body_bytes_total", Type: Counter, Labels: routed,
			Help: "Bytes of bodies of answers that were sent."},
	}
}

// Collect tells what was counted. What never happened has no series.
func (r *Requests) Collect(v *Values) {
	for i := range r.cells {
		c := &r.cells[i]
		route, method := r.routes[i/len(methods)], methods[i%len(methods)]
		total := uint64(0)
		for k := range c.statuses {
			n := c.statuses[k].Load()
			if n == 0 {
				continue
			}
			status := "other"
			if k < len(statuses) {
				status = strconv.Itoa(statuses[k])
			}
			total += n
			v.Set("zaqar_http_requests_total", float64(n), route, method, status)
		}
		if total == 0 {
			continue
		}
		if s := c.took.Snapshot(); s.Count() > 0 {
			v.Histogram("zaqar_http_request_duration_seconds", s, route, method)
		}
		if s := c.waited.Snapshot(); s.Count() > 0 {
			v.Histogram("zaqar_http_wait_duration_seconds", s, route, method)
		}
		v.Set("zaqar_http_request_body_bytes_total", float64(c.in.Load()), route, method)
		v.Set("zaqar_http_response_body_bytes_total", float64(c.out.Load()), route, method)
	}
}
