package webhook

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"zaqar/messaging/delivery"
	"zaqar/notify"
)

// request is the POST of an attempt.
func (s *Sender) request(target *url.URL, d *notify.Delivery, token string) (*http.Request, error) {
	body := d.Options.Payload(d.Document)
	header, err := s.header(d, body, token)
	if err != nil {
		return nil, err
	}
	if u := target.User; u != nil {
		password, _ := u.Password()
		header["Authorization"] = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password))}
	}
	r := &http.Request{
		Method: http.MethodPost, URL: onWire(target), Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: http.NoBody, ContentLength: int64(len(body)),
	}
	if len(body) > 0 {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		r.Body, _ = r.GetBody()
	}
	return r, nil
}

// header has what every attempt sends, what the subscription asks for instead
// or beside, and what only we may say.
func (s *Sender) header(d *notify.Delivery, body []byte, token string) (http.Header, error) {
	h := http.Header{
		"Content-Type": {"application/json"},
		"Accept":       {"*/*"},
		"User-Agent":   {s.c.UserAgent},
		// A connection that the receiver closed just now is replaced without
		// an attempt being lost. The name itself is not sent.
		"Idempotency-Key": nil,
	}
	if token != "" {
		h["X-Auth-Token"] = []string{token}
	}
	if d.Options != nil {
		for name, value := range d.Options.PostHeaders {
			if !delivery.MayPost(name, token != "") {
				continue
			}
			if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
				return nil, giveUp("The post_headers of the subscription cannot be sent.")
			}
			h[http.CanonicalHeaderKey(name)] = []string{value}
		}
	}
	if d.Trace != "" {
		h["Traceparent"] = []string{d.Trace}
	}
	return h, s.sign(h, d, body)
}

// sign adds the headers of the Standard Webhooks scheme. Without secrets there
// is no signature, but an id to recognise repetitions by.
func (s *Sender) sign(h http.Header, d *notify.Delivery, body []byte) error {
	secrets, err := delivery.ParseSecrets(d.Subscription.Secrets)
	if err != nil {
		return &notify.Failure{Verdict: notify.Retry, What: "The delivery could not be signed.", Err: err}
	}
	now := s.c.Now()
	h["Webhook-Id"] = []string{string(d.Message)}
	h["Webhook-Timestamp"] = []string{strconv.FormatInt(now.Unix(), 10)}
	if signature := secrets.Sign(string(d.Message), now, body); signature != "" {
		h["Webhook-Signature"] = []string{signature}
	}
	return nil
}

// onWire is a URL as the request line can say it: with what no query may hold
// escaped, and its other characters as they are. (Credentials and fragments
// are never said.)
func onWire(u *url.URL) *url.URL {
	if !strings.ContainsFunc(u.RawQuery, outsideQuery) {
		return u
	}
	var b strings.Builder
	for _, c := range []byte(u.RawQuery) {
		if outsideQuery(rune(c)) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	clean := *u
	clean.RawQuery = b.String()
	return &clean
}

func outsideQuery(r rune) bool { return r <= ' ' || r >= 0x7f }
