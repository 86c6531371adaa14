// Package dnstest is a name server for tests, which may change its mind.
package dnstest

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Server answers each question with the next of its answers to it; the last one
// stays. It lives as long as the test.
type Server struct {
	conn net.PacketConn

	mu      sync.Mutex
	answers map[string][][]string
	asked   int
}

// New starts a server. Answers are lists of addresses, by name and type of
// record: "host.example.A". To other questions there is no answer.
func New(t testing.TB, answers map[string][][]string) *Server {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{conn: conn, answers: answers}
	done := make(chan struct{})
	t.Cleanup(func() {
		conn.Close() //nolint:errcheck // nothing is lost
		<-done
	})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			size, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			if answer, err := s.answer(b[:size]); err == nil {
				conn.WriteTo(answer, from) //nolint:errcheck // it is asked again
			}
		}
	}()
	return s
}

// Resolver asks the server, whatever the system is set to.
func (s *Server) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
}

// Asked counts questions.
func (s *Server) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *Server) answer(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || len(m.Questions) != 1 {
		return nil, errors.New("no question")
	}
	q := m.Questions[0]
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	for _, text := range s.next(strings.ToLower(q.Name.String()) + strings.TrimPrefix(q.Type.String(), "Type")) {
		a := netip.MustParseAddr(text)
		r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class}}
		if a.Is4() {
			r.Body = &dnsmessage.AResource{A: a.As4()}
		} else {
			r.Body = &dnsmessage.AAAAResource{AAAA: a.As16()}
		}
		m.Answers = append(m.Answers, r)
	}
	return m.Pack()
}

func (s *Server) next(question string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	all := s.answers[question]
	if len(all) == 0 {
		return nil
	}
	if len(all) > 1 {
		s.answers[question] = all[1:]
	}
	return all[0]
}
