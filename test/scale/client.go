package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"zaqar/bench/load"
	"zaqar/bench/rawhttp"
)

// tenant makes the requests of one client of a project.
type tenant struct {
	addr, project, client string
}

// caller returns the n-th client of a project of the server.
func caller(addr, project string, n int) tenant {
	return tenant{addr, project, fmt.Sprintf("6f6d6e69-2062-4e63-8001-%012x", n)}
}

// request returns the bytes of a request, without body if that is nil.
func (t tenant) request(method, path string, body []byte) []byte {
	b := []byte(method + " " + path + " HTTP/1.1\r\nHost: " + host(t.addr) + "\r\nAccept: application/json\r\nClient-ID: " + t.client +
		"\r\nX-Project-ID: " + t.project + "\r\n")
	if body == nil {
		return append(b, "\r\n"...)
	}
	b = append(b, "Content-Type: application/json\r\nContent-Length: "...)
	b = append(strconv.AppendInt(b, int64(len(body)), 10), "\r\n\r\n"...)
	return append(b, body...)
}

// host returns the address of a server without its scheme.
func host(addr string) string { return strings.TrimPrefix(addr, secure) }

// posting returns the body of a post of n messages of size bytes each.
func posting(n, size int) []byte {
	one := append(append([]byte(`{"ttl":3600,"body":`), load.Body(size)...), '}')
	return append(append([]byte(`{"messages":[`), bytes.Join(slicesOf(one, n), []byte(","))...), "]}"...)
}

func slicesOf(b []byte, n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = b
	}
	return all
}

// ask sends a request and checks the status of the answer.
func ask(c *rawhttp.Conn, request []byte, want ...int) (rawhttp.Response, error) {
	r, err := c.Do(request)
	if err != nil {
		return r, err
	}
	for _, w := range want {
		if r.Status == w {
			return r, nil
		}
	}
	line, _, _ := bytes.Cut(request, []byte("\r\n"))
	return r, fmt.Errorf("%.200s was answered with %d: %.300s", line, r.Status, r.Body)
}

// queuePage reads a page of queues: how many there are, and the path of the
// next page.
func queuePage(body []byte) (n int, next string, err error) {
	var page struct {
		Queues []struct{ Name string }
		Links  []struct{ Rel, Href string }
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return 0, "", err
	}
	for _, l := range page.Links {
		if l.Rel == "next" {
			next = l.Href
		}
	}
	return len(page.Queues), next, nil
}

// deletion returns the path that deletes the messages of a claim.
func deletion(queue string, claim []byte) (string, error) {
	var held struct {
		Messages []struct{ ID, Href string }
	}
	if err := json.Unmarshal(claim, &held); err != nil {
		return "", err
	}
	ids, claimID := make([]string, len(held.Messages)), ""
	for i, m := range held.Messages {
		ids[i] = m.ID
		_, claimID, _ = strings.Cut(m.Href, "claim_id=")
	}
	if claimID == "" {
		return "", fmt.Errorf("a claim without messages: %.300s", claim)
	}
	return queue + "/messages?ids=" + strings.Join(ids, ",") + "&claim_ids=" + claimID, nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
