package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/config"
	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
)

// authenticate does what OS_AUTH_STRATEGY says.
func (o *workersOptions) authenticate(ctx context.Context) error {
	switch strategy := os.Getenv("OS_AUTH_STRATEGY"); strategy {
	case "", "noauth":
		return nil
	case "keystone":
	default:
		return fmt.Errorf("OS_AUTH_STRATEGY is %q: must be noauth or keystone", strategy)
	}
	identity, tlsConfig, err := newIdentity(ctx)
	if err != nil {
		return fmt.Errorf("no token from the identity service: %w", err)
	}
	// The project is the token's.
	o.Auth, o.TLS, o.Project = identity, tlsConfig, ""
	return nil
}

// identity has tokens from Keystone.
type identity struct{ provider *gophercloud.ProviderClient }

// newIdentity asks for the first token, with the credentials in the
// environment or in clouds.yaml. The TLS configuration is for all services.
func newIdentity(ctx context.Context) (*identity, *tls.Config, error) {
	var where []clouds.ParseOption
	if os.Getenv("OS_CLOUD") == "" {
		doc, err := cloudOfEnvironment()
		if err != nil {
			return nil, nil, err
		}
		where = []clouds.ParseOption{clouds.WithCloudName(envCloud), clouds.WithCloudsYAML(bytes.NewReader(doc))}
	}
	auth, _, tlsConfig, err := clouds.Parse(where...)
	if err != nil {
		return nil, nil, err
	}
	// A token cannot be had anew with the same token.
	auth.AllowReauth = auth.TokenID == ""
	provider, err := config.NewProviderClient(ctx, auth, config.WithTLSConfig(tlsConfig))
	if err != nil {
		return nil, nil, err
	}
	return &identity{provider}, tlsConfig, nil
}

// envCloud is the name of the cloud that the environment describes.
const envCloud = "envvars"

// cloudOfEnvironment turns the OS_* variables into a clouds.yaml, of which
// JSON is a part: the library's own reading of them does not know the domains
// of users and projects.
func cloudOfEnvironment() ([]byte, error) {
	auth := map[string]string{}
	for key, names := range map[string][]string{
		"auth_url": {"OS_AUTH_URL"},
		"username": {"OS_USERNAME"}, "user_id": {"OS_USER_ID", "OS_USERID"}, "password": {"OS_PASSWORD"},
		"token":        {"OS_TOKEN", "OS_AUTH_TOKEN"},
		"project_name": {"OS_PROJECT_NAME", "OS_TENANT_NAME"}, "project_id": {"OS_PROJECT_ID", "OS_TENANT_ID"},
		"user_domain_name": {"OS_USER_DOMAIN_NAME"}, "user_domain_id": {"OS_USER_DOMAIN_ID"},
		"project_domain_name": {"OS_PROJECT_DOMAIN_NAME"}, "project_domain_id": {"OS_PROJECT_DOMAIN_ID"},
		"domain_name": {"OS_DOMAIN_NAME"}, "domain_id": {"OS_DOMAIN_ID"},
		"application_credential_id":     {"OS_APPLICATION_CREDENTIAL_ID"},
		"application_credential_name":   {"OS_APPLICATION_CREDENTIAL_NAME"},
		"application_credential_secret": {"OS_APPLICATION_CREDENTIAL_SECRET"},
		"trust_id":                      {"OS_TRUST_ID"}, "system_scope": {"OS_SYSTEM_SCOPE"},
	} {
		for _, name := range names {
			if value := os.Getenv(name); value != "" {
				auth[key] = value
				break
			}
		}
	}
	if auth["auth_url"] == "" {
		return nil, errors.New("neither OS_CLOUD nor OS_AUTH_URL is set")
	}
	cloud := map[string]any{"auth": auth}
	if insecure, err := strconv.ParseBool(os.Getenv("OS_INSECURE")); err == nil {
		cloud["verify"] = !insecure
	}
	// OS_CACERT, OS_CERT and OS_KEY are read by the library.
	return json.Marshal(map[string]any{"clouds": map[string]any{envCloud: cloud}})
}

// Token returns the token in use and the project that it is for.
func (i *identity) Token() (token, project string) {
	token = i.provider.Token()
	if result, ok := i.provider.GetAuthResult().(interface {
		ExtractProject() (*tokens.Project, error)
	}); ok {
		if p, err := result.ExtractProject(); err == nil && p != nil {
			project = p.ID
		}
	}
	return token, project
}

// Renew asks for another token, unless somebody else has.
func (i *identity) Renew(ctx context.Context, refused string) error {
	if i.provider.ReauthFunc == nil {
		return errors.New("the credentials do not allow for another one")
	}
	return i.provider.Reauthenticate(ctx, refused)
}
