package compat

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// identity is the least of an identity service that clients need to find the
// messaging service: versions, and tokens with a catalogue. Whoever asks for
// a token gets one; the id of the project is its name.
type identity struct {
	*httptest.Server
	messaging string // URL in the catalogue
}

func newIdentity(t *testing.T, messaging string) *identity {
	t.Helper()
	i := &identity{messaging: messaging}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", i.versions)
	mux.HandleFunc("GET /v3", i.version)
	mux.HandleFunc("GET /v3/{$}", i.version)
	mux.HandleFunc("POST /v3/auth/tokens", i.token)
	i.Server = httptest.NewUnstartedServer(mux)
	i.Start()
	t.Cleanup(i.Close)
	return i
}

type object = map[string]any

func (i *identity) versions(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusMultipleChoices, object{"versions": object{"values": []any{i.three()}}})
}

func (i *identity) version(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, object{"version": i.three()})
}

func (i *identity) three() object {
	return object{
		"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
		"links": []any{object{"rel": "self", "href": i.URL + "/v3/"}},
	}
}

func (i *identity) token(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Auth struct {
			Identity struct {
				Password struct {
					User struct {
						Name string `json:"name"`
					} `json:"user"`
				} `json:"password"`
			} `json:"identity"`
			Scope struct {
				Project struct {
					ID   string `json:"id"`
					Name string `json:"name"`
				} `json:"project"`
			} `json:"scope"`
		} `json:"auth"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	project := in.Auth.Scope.Project.Name + in.Auth.Scope.Project.ID
	domain := object{"id": "default", "name": "Default"}
	now := time.Now().UTC()
	w.Header().Set("X-Subject-Token", "token-of-"+project)
	reply(w, http.StatusCreated, object{"token": object{
		"methods":    []string{"password"},
		"user":       object{"id": "id-of-" + project, "name": in.Auth.Identity.Password.User.Name, "domain": domain},
		"project":    object{"id": project, "name": project, "domain": domain},
		"roles":      []any{object{"id": "1", "name": "member"}},
		"is_domain":  false,
		"audit_ids":  []string{"audit"},
		"issued_at":  now.Format(time.RFC3339),
		"expires_at": now.Add(time.Hour).Format(time.RFC3339),
		"catalog": []any{
			i.service("messaging", "zaqar", i.messaging),
			i.service("identity", "keystone", i.URL+"/v3"),
		},
	}})
}

func (i *identity) service(kind, name, url string) object {
	var endpoints []any
	for _, face := range strings.Fields("public internal admin") {
		endpoints = append(endpoints, object{
			"id": name + face, "interface": face, "region": "RegionOne", "region_id": "RegionOne", "url": url,
		})
	}
	return object{"id": name, "type": kind, "name": name, "endpoints": endpoints}
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
