package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"os"

	"zaqar/app"
)

// itself returns settings for a connection to the server that uses these
// files, by whatever name: it is known by its certificate, which is also shown
// if the server asks for one.
func itself(o app.TLS) (*tls.Config, error) {
	cert, err := os.ReadFile(o.Cert)
	if err != nil {
		return nil, err
	}
	key := cert
	if o.Key != "" {
		if key, err = os.ReadFile(o.Key); err != nil {
			return nil, err
		}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		Certificates:       []tls.Certificate{pair},
		InsecureSkipVerify: true, // names and dates; whose it is, is looked at here
		VerifyConnection: func(state tls.ConnectionState) error {
			if !bytes.Equal(state.PeerCertificates[0].Raw, pair.Certificate[0]) {
				return errors.New("it shows another certificate than the one in cert_file")
			}
			return nil
		},
	}, nil
}

// askWithoutToken judges a server that wants a token by the page that needs
// none.
func (s *statusRun) askWithoutToken(ctx context.Context, url string, st *serverStatus) {
	st.Problem = "it is there, and wants a token: set OS_TOKEN"
	if s.healthcheck == "" || os.Getenv("OS_TOKEN") != "" {
		return
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+s.healthcheck, nil)
	if err != nil {
		return
	}
	resp, err := s.client().Do(req)
	if err != nil {
		return
	}
	resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		st.Healthy, st.Problem = true, ""
	case http.StatusServiceUnavailable:
		st.Problem = "it says itself that it is not well"
	}
}
