package keystone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// mostAnswer is the size of the largest answer that is read. A token with the
// catalogue of a large cloud takes a tenth of it.
const mostAnswer = 1 << 20

// answer is what Keystone said.
type answer struct {
	status int
	header http.Header
	body   []byte
	date   time.Time // by Keystone's clock; zero if it does not tell
}

// transport asks Keystone over HTTP, with time limits and further tries.
type transport struct {
	client  *http.Client
	timeout time.Duration
	retries int64
	pause   time.Duration
	gate    gate
}

func newTransport(c *Config) *transport {
	return &transport{
		client: &http.Client{
			Transport: &http.Transport{
				Proxy: c.Proxy, TLSClientConfig: c.TLS, ForceAttemptHTTP2: true,
				MaxConnsPerHost: mostAsked, MaxIdleConnsPerHost: mostAsked,
				IdleConnTimeout: time.Minute, TLSHandshakeTimeout: c.Timeout,
				MaxResponseHeaderBytes: 64 << 10,
			},
			CheckRedirect: near,
		},
		timeout: c.Timeout, retries: c.Retries, pause: c.Pause,
	}
}

// near follows redirects only where the tokens and passwords of the first
// request may go: to the same host, never from https to http, and not as
// another method.
func near(next *http.Request, before []*http.Request) error {
	first := before[0]
	switch {
	case len(before) > 3:
		return oddAnswer("too many redirects")
	case next.URL.Hostname() != first.URL.Hostname(),
		next.URL.Scheme != "https" && next.URL.Scheme != first.URL.Scheme,
		next.Method != first.Method:
		return oddAnswer("a redirect that leads elsewhere is not followed")
	}
	return nil
}

// close ends idle connections.
func (t *transport) close() { t.client.CloseIdleConnections() }

// do sends a request until there is an answer, as often as it may.
func (t *transport) do(ctx context.Context, method, url string, header http.Header, body []byte) (*answer, error) {
	probe, err := t.gate.enter()
	if err != nil {
		return nil, err
	}
	a, err := t.tries(ctx, method, url, header, body)
	silent := err
	if permanent(err) {
		silent = nil // it was an answer
	}
	t.gate.leave(probe, silent)
	return a, err
}

func (t *transport) tries(ctx context.Context, method, url string, header http.Header, body []byte) (*answer, error) {
	pause := t.pause
	for try := int64(0); ; try++ {
		a, err := t.try(ctx, method, url, header, body)
		if err == nil && !busy(a.status) || try == t.retries || ctx.Err() != nil || permanent(err) {
			return a, err
		}
		select {
		case <-ctx.Done():
			return a, err
		case <-time.After(pause):
			pause *= 2
		}
	}
}

// busy reports whether a status says that another try may help.
func busy(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// oddAnswer is an answer that will be the same the next time.
type oddAnswer string

func (o oddAnswer) Error() string { return string(o) }

func permanent(err error) bool {
	var odd oddAnswer
	return errors.As(err, &odd)
}

func (t *transport) try(ctx context.Context, method, address string, header http.Header, body []byte) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, oddAnswer("the address of keystone is malformed")
	}
	r.Header = header.Clone()
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "zaqar")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := t.client.Do(r)
	if err != nil {
		return nil, plainError(r.URL.Host, err)
	}
	defer res.Body.Close()
	a := &answer{status: res.StatusCode, header: res.Header}
	if a.date, err = http.ParseTime(res.Header.Get("Date")); err != nil {
		a.date = time.Time{}
	}
	a.body, err = io.ReadAll(io.LimitReader(res.Body, mostAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("keystone's answer broke off: %w", err)
	case len(a.body) > mostAnswer:
		return nil, oddAnswer(fmt.Sprintf("keystone's answer is larger than %d bytes", mostAnswer))
	}
	return a, nil
}

// plainError names the host that was asked, in place of the address that an
// error has: where a redirect led to is nobody's to put into our log.
func plainError(host string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("no answer from keystone at %s: %w", host, err)
}
