package keystone

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
)

// Method is a way to log in.
type Method string

// The methods.
const (
	Password              Method = "password"
	ApplicationCredential Method = "application_credential"
	Token                 Method = "token"
)

// Login is what this service logs in with: the keys of [keystone_authtoken]
// by their meaning (operations §1.10).
type Login struct {
	Method Method // empty: what the rest suggests

	UserID, Username             string
	UserDomainID, UserDomainName string
	Password                     string
	CredentialID, CredentialName string
	CredentialSecret             string
	Token                        string

	// At most one scope.
	ProjectID, ProjectName             string
	ProjectDomainID, ProjectDomainName string
	DomainID, DomainName               string
	TrustID, SystemScope               string

	// Default domain, of a user or project named without one.
	DefaultDomainID, DefaultDomainName string
}

// LogValue keeps secrets out of logs.
func (l Login) LogValue() slog.Value { return slog.StringValue(l.String()) }

// String tells who logs in, without secrets.
func (l Login) String() string {
	return string(l.method()) + " of " + cmp.Or(l.Username, l.UserID, l.CredentialName, l.CredentialID, "somebody")
}

// GoString is String: no verb shows the secrets.
func (l Login) GoString() string { return l.String() }

func (l *Login) method() Method {
	switch {
	case l.Method != "":
		return l.Method
	case l.CredentialID != "" || l.CredentialName != "":
		return ApplicationCredential
	case l.Token != "" && l.Password == "":
		return Token
	}
	return Password
}

// check returns what is missing.
func (l *Login) check() error {
	user := l.UserID != "" || l.Username != "" && l.userDomain() != nil
	switch l.method() {
	case Password:
		switch {
		case l.UserID == "" && l.Username == "":
			return errors.New("username is missing")
		case !user:
			return errors.New("user_domain_id or user_domain_name is missing")
		case l.Password == "":
			return errors.New("password is missing")
		}
	case ApplicationCredential:
		switch {
		case l.CredentialID == "" && l.CredentialName == "":
			return errors.New("application_credential_id is missing")
		case l.CredentialID == "" && !user:
			return errors.New("application_credential_name needs user_id, or username and user_domain_name; or set application_credential_id")
		case l.CredentialSecret == "":
			return errors.New("application_credential_secret is missing")
		}
		return nil // the scope is the credential's
	case Token:
		if l.Token == "" {
			return errors.New("token is missing")
		}
	default:
		return fmt.Errorf("there is no way to log in called %q", l.Method)
	}
	return l.checkScope()
}

func (l *Login) checkScope() error {
	n := 0
	for _, set := range []bool{l.project(), l.DomainID != "" || l.DomainName != "", l.TrustID != "", l.SystemScope != ""} {
		if set {
			n++
		}
	}
	switch {
	case n > 1:
		return errors.New("only one of project, domain, trust_id and system_scope can be the scope")
	case l.ProjectID == "" && l.ProjectName != "" && l.projectDomain() == nil:
		return errors.New("project_domain_id or project_domain_name is missing")
	case l.SystemScope != "" && l.SystemScope != "all":
		return errors.New("system_scope can only be all")
	}
	return nil
}

func (l *Login) project() bool { return l.ProjectID != "" || l.ProjectName != "" }

type object = map[string]any

// named is {"id": id}, or {"name": name}, or nil.
func named(id, name string) object {
	switch {
	case id != "":
		return object{"id": id}
	case name != "":
		return object{"name": name}
	}
	return nil
}

func firstOf(all ...object) object {
	for _, o := range all {
		if o != nil {
			return o
		}
	}
	return nil
}

func (l *Login) userDomain() object {
	return firstOf(named(l.UserDomainID, l.UserDomainName), named(l.DefaultDomainID, l.DefaultDomainName))
}

func (l *Login) projectDomain() object {
	return firstOf(named(l.ProjectDomainID, l.ProjectDomainName), named(l.DefaultDomainID, l.DefaultDomainName))
}

// user is the user, by id or by name within a domain.
func (l *Login) user() object {
	u := named(l.UserID, l.Username)
	if l.UserID == "" && u != nil {
		u["domain"] = l.userDomain()
	}
	return u
}

// request is the body of POST /v3/auth/tokens.
func (l *Login) request() ([]byte, error) {
	method := l.method()
	identity := object{"methods": []string{string(method)}}
	auth := object{"identity": identity}
	switch method {
	case Password:
		user := l.user()
		user["password"] = l.Password
		identity["password"] = object{"user": user}
	case Token:
		identity["token"] = object{"id": l.Token}
	case ApplicationCredential:
		credential := named(l.CredentialID, l.CredentialName)
		credential["secret"] = l.CredentialSecret
		if user := l.user(); l.CredentialID == "" {
			credential["user"] = user
		}
		identity["application_credential"] = credential
	}
	if scope := l.scope(); scope != nil && method != ApplicationCredential {
		auth["scope"] = scope
	}
	return json.Marshal(object{"auth": auth})
}

func (l *Login) scope() object {
	switch {
	case l.TrustID != "":
		return object{"OS-TRUST:trust": object{"id": l.TrustID}}
	case l.SystemScope != "":
		return object{"system": object{"all": true}}
	case l.project():
		project := named(l.ProjectID, l.ProjectName)
		if l.ProjectID == "" {
			project["domain"] = l.projectDomain()
		}
		return object{"project": project}
	}
	if domain := named(l.DomainID, l.DomainName); domain != nil {
		return object{"domain": domain}
	}
	return nil
}
