package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"zaqar/internal/egress"
	"zaqar/notify"
)

// judge says what a status means for an attempt, 1 being the first: delivered,
// or what becomes of the message. Redirects and refusals are final unless
// they come after a failure that was not: then the attempts that were planned go
// on (notifications §7.1, §7.4).
func judge(status, attempt int) (v notify.Verdict, delivered bool) {
	switch {
	case status >= 200 && status < 300:
		return 0, true
	case status == http.StatusGone:
		return notify.Disable, false
	case status < 200 || status == http.StatusTooManyRequests || status >= 500 || attempt > 1:
		return notify.Retry, false
	}
	return notify.GiveUp, false
}

// judged is the failure that an answer is, or nil.
func (s *Sender) judged(answer *http.Response, attempt int) error {
	verdict, delivered := judge(answer.StatusCode, attempt)
	if delivered {
		return nil
	}
	f := &notify.Failure{Verdict: verdict, Status: answer.StatusCode, What: fmt.Sprintf("The subscriber answered %d.", answer.StatusCode)}
	if answer.StatusCode/100 == 3 {
		f.What = fmt.Sprintf("The subscriber answered %d. Redirects are not followed.", answer.StatusCode)
	}
	if verdict == notify.Retry {
		f.After = retryAfter(answer.Header.Get("Retry-After"), s.c.Now())
	}
	return f
}

// retryAfter reads how long a receiver asks to be left alone, in seconds or as a
// date (RFC 9110 §10.2.3): an hour at most, 0 if it does not say.
func retryAfter(value string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(n, uint64(maxRetryTime/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryTime)
}

func giveUp(what string) *notify.Failure { return &notify.Failure{Verdict: notify.GiveUp, What: what} }

// errProxy is a proxy that would not let an attempt through.
var errProxy = errors.New("the egress proxy refused the connection")

// tunnelled looks at what a proxy says to CONNECT.
func tunnelled(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %d", errProxy, answer.StatusCode)
	}
	return nil
}

// fault is the failure of an attempt that brought no answer. It may work later:
// names, certificates and lists of allowed targets change.
func fault(err error) *notify.Failure {
	what, cause := explain(err)
	return &notify.Failure{Verdict: notify.Retry, What: what, Err: cause}
}

// explain puts into words why there was no answer: for the owner, and for the
// log. Of errors that could quote an answer nothing is kept.
func explain(err error) (what string, cause error) {
	var (
		name     *net.DNSError
		op       *net.OpError
		untrust  *tls.CertificateVerificationError
		alert    tls.AlertError
		record   tls.RecordHeaderError
		dialling = errors.As(err, &op) && op.Op == "dial"
	)
	switch {
	case errors.Is(err, egress.ErrRefused):
		return "Nothing may be sent to this host.", err
	case errors.Is(err, errTimeout):
		return "There was no answer in time.", err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "The attempt was broken off.", err
	case errors.Is(err, errProxy), op != nil && op.Op == "proxyconnect":
		return "The way out to this host is closed.", err
	case errors.As(err, &name):
		return "The name of the host could not be resolved.", err
	case errors.As(err, &untrust):
		return distrust(untrust.Err), err
	case errors.As(err, &record):
		return "The host does not speak TLS.", err
	case errors.As(err, &alert), isTLSTimeout(err):
		return "TLS could not be set up.", err
	case errors.Is(err, syscall.ECONNREFUSED):
		return "The connection was refused.", err
	case dialling:
		return "The host could not be reached.", err
	case op != nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "The connection broke before there was an answer.", err
	}
	return "The answer was no HTTP.", errNoHTTP
}

// errNoHTTP stands for errors that quote what came.
var errNoHTTP = errors.New("no HTTP came back")

// isTLSTimeout knows an error that net/http does not export.
func isTLSTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout() && n.Error() == "net/http: TLS handshake timeout"
}

// distrust says what is wrong with a certificate.
func distrust(err error) string {
	var (
		name    x509.HostnameError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &name):
		return "The certificate of the host is for another name."
	case errors.As(err, &unknown):
		return "The certificate of the host is from an authority that is not trusted."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "The certificate of the host is not valid at this time."
	}
	return "The certificate of the host is not valid."
}
