package compat

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/messaging/v2/messages"
	"github.com/gophercloud/gophercloud/v2/openstack/messaging/v2/queues"
	"github.com/gophercloud/gophercloud/v2/pagination"
)

// gopher is a client with a project of its own.
type gopher struct {
	t       *testing.T
	client  *gophercloud.ServiceClient
	project string
	cloud   *identity
}

func newGopher(t *testing.T, cloud *identity) *gopher {
	return loginGopher(t, cloud, strings.ReplaceAll(uuid.NewString(), "-", ""))
}

func loginGopher(t *testing.T, cloud *identity, project string) *gopher {
	t.Helper()
	provider, err := openstack.AuthenticatedClient(t.Context(), gophercloud.AuthOptions{
		IdentityEndpoint: cloud.URL + "/v3", Username: project, Password: "any", TenantName: project, DomainID: "default",
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := openstack.NewMessagingV2(provider, uuid.NewString(), gophercloud.EndpointOpts{Region: "RegionOne"})
	if err != nil {
		t.Fatal(err)
	}
	// The server takes the project from the token once it checks tokens.
	client.MoreHeaders["X-Project-Id"] = project
	return &gopher{t, client, project, cloud}
}

func gopherShare(g *gopher) {
	shared, err := queues.Share(g.t.Context(), g.client, "work", queues.ShareOpts{
		Paths: []queues.SharePath{queues.PathMessages, queues.PathClaims}, Methods: []queues.ShareMethod{queues.MethodPost, queues.MethodGet},
		Expires: "2096-01-01T00:00:00",
	}).Extract()
	g.ok("share", err)
	g.same("project", g.project, shared.Project)
	g.same("paths", []string{"/v2/queues/work/claims", "/v2/queues/work/messages"}, shared.Paths)
	g.same("methods", []string{"GET", "POST"}, shared.Methods)
	g.same("expires", "2096-01-01T00:00:00", shared.Expires)
	g.same("length of the signature", 64, len(shared.Signature))
}

// other is another client of the same project.
func (g *gopher) other() *gopher { return loginGopher(g.t, g.cloud, g.project) }

func (g *gopher) ok(what string, err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatalf("%s: %v", what, err)
	}
}

func (g *gopher) same(what string, want, got any) {
	g.t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		g.t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func (g *gopher) create(name string) {
	g.t.Helper()
	g.ok("create", queues.Create(g.t.Context(), g.client, queues.CreateOpts{QueueName: name, DefaultMessageTTL: 3600}).ExtractErr())
}

// post posts n messages to the queue work and returns their ids.
func (g *gopher) post(n int) []string {
	g.t.Helper()
	var batch messages.BatchCreateOpts
	for i := range n {
		batch = append(batch, messages.CreateOpts{TTL: 300, Body: body(i)})
	}
	list, err := messages.Create(g.t.Context(), g.client, "work", batch).Extract()
	g.ok("post", err)
	if len(list.Resources) != n {
		g.t.Fatalf("%d resources for %d messages", len(list.Resources), n)
	}
	var ids []string
	for _, r := range list.Resources {
		id, found := strings.CutPrefix(r, "/v2/queues/work/messages/")
		if !found {
			g.t.Errorf("resource %q", r)
		}
		ids = append(ids, id)
	}
	return ids
}

// body is the body of message n. JSON makes its number a float64.
func body(n int) map[string]any { return map[string]any{"n": float64(n)} }

// numbers are those of all messages that a list of the queue work has, page by
// page, and the sizes of the pages.
func (g *gopher) numbers(opts messages.ListOpts) (numbers, sizes []int) {
	g.t.Helper()
	err := messages.List(g.client, "work", opts).EachPage(g.t.Context(), func(_ context.Context, p pagination.Page) (bool, error) {
		page, err := messages.ExtractMessages(p)
		for _, m := range page {
			numbers = append(numbers, int(m.Body["n"].(float64)))
		}
		sizes = append(sizes, len(page))
		return len(sizes) < 50, err
	})
	g.ok("list", err)
	return numbers, sizes
}
