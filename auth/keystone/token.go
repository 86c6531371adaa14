package keystone

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"zaqar/messaging"
)

// document is what Keystone says about a token.
type document struct {
	Token *struct {
		Expires time.Time `json:"expires_at"`
		User    struct {
			ID     string `json:"id"`
			Domain ref    `json:"domain"`
		} `json:"user"`
		Project *struct {
			ID     string `json:"id"`
			Domain ref    `json:"domain"`
		} `json:"project"`
		Domain *ref `json:"domain"`
		System *struct {
			All bool `json:"all"`
		} `json:"system"`
		Roles []struct {
			Name string `json:"name"`
		} `json:"roles"`
		Catalog    []service `json:"catalog"`
		Credential *struct {
			Rules *[]rule `json:"access_rules"`
		} `json:"application_credential"`
	} `json:"token"`
}

type ref struct {
	ID string `json:"id"`
}

// service is an element of a catalogue.
type service struct {
	Type      string `json:"type"`
	Name      string `json:"name"`
	Endpoints []struct {
		Interface string `json:"interface"`
		Region    string `json:"region"`
		RegionID  string `json:"region_id"`
		URL       string `json:"url"`
	} `json:"endpoints"`
}

// entry is what is known of a token. It is never changed.
type entry struct {
	caller messaging.Caller
	until  time.Time // until then it is believed
	// limits are the access rules of the token's application credential; nil:
	// there are none.
	limits *limits
}

// read reads an answer of Keystone about a token.
func read(body []byte) (*document, error) {
	d := new(document)
	if err := json.Unmarshal(body, d); err != nil {
		// The error may quote what it could not read.
		return nil, errors.New("keystone's answer is not the description of a token")
	}
	if t := d.Token; t == nil || t.User.ID == "" || t.Expires.IsZero() {
		return nil, errors.New("keystone's answer describes no token")
	}
	return d, nil
}

// caller is who the token stands for.
func (d *document) caller() messaging.Caller {
	t := d.Token
	who := messaging.Caller{User: t.User.ID, UserDomain: t.User.Domain.ID}
	if t.Project != nil {
		who.Project = messaging.Project(t.Project.ID)
		who.ProjectDomain = t.Project.Domain.ID
	}
	if t.Domain != nil {
		who.Domain = t.Domain.ID
	}
	if t.System != nil && t.System.All {
		who.System = "all"
	}
	for _, r := range t.Roles {
		who.Roles = append(who.Roles, r.Name)
	}
	return who
}

// limits are the access rules of the token; nil if it has none.
func (d *document) limits() *limits {
	t := d.Token
	if t.Credential == nil || t.Credential.Rules == nil {
		return nil
	}
	l := &limits{Rules: *t.Credential.Rules}
	for _, s := range t.Catalog {
		l.Services = append(l.Services, s.Type)
	}
	return l
}

// endpoint is Keystone's address in the catalogue, with /v3; empty if none
// fits.
func (d *document) endpoint(iface, region string) string {
	for _, s := range d.Token.Catalog {
		if s.Type != "identity" {
			continue
		}
		for url := range s.endpoints(iface, region) {
			if checkURL("", url) == nil {
				return versioned(url)
			}
		}
	}
	return ""
}

// endpoints are the addresses of the service that fit.
func (s *service) endpoints(iface, region string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, e := range s.Endpoints {
			if e.Interface == iface && (region == "" || e.Region == region || e.RegionID == region) && !yield(e.URL) {
				return
			}
		}
	}
}

// versioned makes an address end with /v3.
func versioned(url string) string {
	url = strings.TrimRight(url, "/")
	if strings.HasSuffix(url, "/v3") {
		return url
	}
	return strings.TrimSuffix(url, "/v2.0") + "/v3"
}

// lasts is how long the token lasts from the moment of the answer on. What
// counts is Keystone's clock, as its answer shows it; now stands in for it.
func (d *document) lasts(date, now time.Time) time.Duration {
	if date.IsZero() {
		date = now
	}
	return d.Token.Expires.Sub(date)
}

// skew is by how much this clock is ahead of Keystone's.
func skew(date, now time.Time) time.Duration {
	if date.IsZero() {
		return 0
	}
	return now.Sub(date)
}

func statusError(what string, status int) error {
	return fmt.Errorf("keystone answered %d to %s", status, what)
}
