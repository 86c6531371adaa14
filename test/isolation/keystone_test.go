package isolation

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// keystone starts an identity service that knows one token for each project,
// and returns how a request gets one and what configures a server for it.
func keystone(t *testing.T) (credentials, string) {
	t.Helper()
	const form = `{"token": {"user": {"id": %q, "domain": {"id": "default"}}, "project": {"id": %q, "domain": {"id": "default"}}, "roles": [{"name": "member"}], "expires_at": "2999-01-01T00:00:00Z"}}`
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.Header().Set("X-Subject-Token", "token-of-the-service")
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, form, "zaqar", "service")
			return
		}
		project, ok := strings.CutPrefix(r.Header.Get("X-Subject-Token"), "token-of-")
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, form, "somebody of "+project, project)
	}))
	t.Cleanup(service.Close)
	as := func(r *http.Request, project string) { r.Header.Set("X-Auth-Token", "token-of-"+project) }
	config := "[DEFAULT]\nauth_strategy = keystone\n[keystone_authtoken]\nauth_type = password\nusername = zaqar\npassword = any\nproject_name = service\n" +
		"user_domain_id = default\nproject_domain_id = default\nauth_url = " + service.URL + "/v3\nwww_authenticate_uri = http://keystone.example/v3\n"
	return as, config
}
