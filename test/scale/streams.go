package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// perConnection is how many clients wait on one connection of HTTP/2. The
// server has 128 at most.
const perConnection = 125

// secure begins the address of a server that wants TLS.
const secure = "https://"

// anybody is how clients talk TLS to a server that this program has started.
func anybody(protocol string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}}
}

// certificate writes a certificate and its key into a file, and returns what the
// configuration of a server says of them.
func certificate(file string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	return "[ssl]\ncert_file = " + file + "\n", os.WriteFile(file, text, 0o600)
}

// streamsRole holds requests that wait on connections of HTTP/2. It says what
// waitersRole says.
func streamsRole(ctx context.Context, o options, out io.Writer) error {
	ctx = untilInputEnds(ctx)
	var mu sync.Mutex // of out
	say := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() == nil {
			fmt.Fprintln(out, text)
		}
	}
	for first := 0; first < o.conns; first += perConnection {
		c, err := tls.Dial("tcp", strings.TrimPrefix(o.addr, secure), anybody("h2"))
		if err != nil {
			return err
		}
		defer c.Close()
		m, err := newMultiplex(c)
		if err != nil {
			return err
		}
		n := min(perConnection, o.conns-first)
		for i := range n {
			if err := m.send(o.addr, first+i, o.how == "claim"); err != nil {
				return err
			}
		}
		go m.receive(n, say)
	}
	say("waiting")
	<-ctx.Done()
	return nil
}

// multiplex is a connection of HTTP/2 that carries many requests.
type multiplex struct {
	frames  *http2.Framer
	mu      sync.Mutex // of writes, and the rest
	fields  *hpack.Encoder
	encoded bytes.Buffer
	next    uint32 // stream
}

func newMultiplex(c net.Conn) (*multiplex, error) {
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		return nil, err
	}
	m := &multiplex{frames: http2.NewFramer(c, c), next: 1}
	m.fields = hpack.NewEncoder(&m.encoded)
	m.frames.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	return m, m.frames.WriteSettings()
}

// send sends the request of the i-th client that waits.
func (m *multiplex) send(addr string, i int, claims bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	head, body, _ := strings.Cut(string(waitRequest(addr, i, claims)), "\r\n\r\n")
	line, headers, _ := strings.Cut(head, "\r\n")
	words := strings.Fields(line)
	m.encoded.Reset()
	field := func(name, value string) { _ = m.fields.WriteField(hpack.HeaderField{Name: name, Value: value}) } // a buffer fails never
	field(":method", words[0])
	field(":scheme", "https")
	field(":authority", host(addr))
	field(":path", words[1])
	for h := range strings.SplitSeq(headers, "\r\n") {
		if name, value, _ := strings.Cut(h, ": "); name != "Host" {
			field(strings.ToLower(name), value)
		}
	}
	stream := m.next
	m.next += 2
	err := m.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: m.encoded.Bytes(), EndStream: body == "", EndHeaders: true})
	if err == nil && body != "" {
		err = m.frames.WriteData(stream, true, []byte(body))
	}
	return err
}

// receive tells of n answers, or why they do not come.
func (m *multiplex) receive(n int, say func(string)) {
	for n > 0 {
		f, err := m.frames.ReadFrame()
		if err == nil {
			err = m.heed(f)
		}
		if err != nil {
			for range n {
				say(err.Error())
			}
			return
		}
		if answer, ok := f.(*http2.MetaHeadersFrame); ok {
			n--
			switch status := answer.PseudoValue("status"); status {
			case "200", "201", "204":
				say("answered")
			default:
				say("a client that waited got " + status)
			}
		}
	}
	for { // the connection stays, as those of clients do
		f, err := m.frames.ReadFrame()
		if err != nil || m.heed(f) != nil {
			return
		}
	}
}

// heed answers what a frame wants to have answered.
func (m *multiplex) heed(f http2.Frame) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return m.frames.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return m.frames.WritePing(true, f.Data)
		}
	case *http2.RSTStreamFrame:
		if f.ErrCode != http2.ErrCodeNo {
			return errors.New("a request that waited was reset: " + f.ErrCode.String())
		}
	}
	return nil
}
