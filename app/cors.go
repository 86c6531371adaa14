package app

import (
	"net/http"
	"slices"
	"time"

	"github.com/rs/cors"

	"zaqar/api/rest"
)

// CORS says which scripts of other sites browsers let at the API
// (operations §7.1).
type CORS struct {
	Origins     []string // "*" is any; none: off
	Credentials bool
	MaxAge      time.Duration // for which a browser keeps a permission
	Methods     []string
	Headers     []string // of requests
	Exposed     []string // of answers
}

// simpleHeaders may always be sent.
func simpleHeaders() []string {
	return []string{"Accept", "Accept-Language", "Content-Type", "Cache-Control", "Content-Language", "Expires", "Last-Modified", "Pragma"}
}

// wrap answers preflight requests and marks the answers of the others. It is
// the outermost layer: a preflight carries no credentials.
func (c CORS) wrap(h http.Handler) http.Handler {
	if len(c.Origins) == 0 {
		return h
	}
	layer := cors.New(cors.Options{
		AllowedOrigins:       c.Origins,
		AllowCredentials:     c.Credentials,
		MaxAge:               int(c.MaxAge.Seconds()),
		AllowedMethods:       c.Methods,
		AllowedHeaders:       slices.Concat(simpleHeaders(), c.Headers),
		ExposedHeaders:       c.Exposed,
		OptionsSuccessStatus: http.StatusOK,
	}).Handler(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			// The API itself does the same for what reaches it.
			w.Header().Set("X-OpenStack-Request-ID", rest.NewRequestID())
		}
		layer.ServeHTTP(w, r)
	})
}
