package compat

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/messaging/v2/claims"
	"github.com/gophercloud/gophercloud/v2/openstack/messaging/v2/messages"
	"github.com/gophercloud/gophercloud/v2/openstack/messaging/v2/queues"
	"github.com/gophercloud/gophercloud/v2/pagination"

	"zaqar/test/e2e/daemon"
)

func TestGophercloud(t *testing.T) {
	t.Parallel()
	server := daemon.Start(t, daemon.Options{Config: signing})
	cloud := newIdentity(t, server.URL)
	for _, c := range []struct {
		name string
		test func(*gopher)
	}{
		{"queues are created, shown and deleted", gopherQueues},
		{"queues are patched", gopherPatch},
		{"queues are listed page by page", gopherQueueList},
		{"queues have stats and are purged", gopherStatsAndPurge},
		{"queues are shared", gopherShare},
		{"messages are posted, got and deleted", gopherMessages},
		{"messages are listed page by page", gopherMessageList},
		{"messages are popped", gopherPop},
		{"claims are created, shown, updated and deleted", gopherClaims},
		{"claims lock messages", gopherClaimedMessages},
		{"subscriptions are made, listed, updated and deleted", gopherSubscriptions},
		{"refusals are errors with their status", gopherErrors},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(newGopher(t, cloud)) })
	}
	for _, r := range server.Records("request") {
		if r.Text("route") == "/" {
			return
		}
	}
	t.Error("the client did not look for the version")
}

func defaults() queues.QueueDetails {
	return queues.QueueDetails{DefaultMessageTTL: 3600, MaxMessagesPostSize: 262144, Extra: map[string]any{}}
}

func gopherQueues(g *gopher) {
	ctx := g.t.Context()
	on := false
	opts := queues.CreateOpts{
		QueueName: "work", DefaultMessageTTL: 600, DefaultMessageDelay: 30, MaxMessagesPostSize: 1000,
		DeadLetterQueue: "dead", DeadLetterQueueMessagesTTL: 120, MaxClaimCount: 3, EnableEncryptMessages: &on,
		Extra: map[string]any{"description": "jobs"},
	}
	g.ok("create", queues.Create(ctx, g.client, opts).ExtractErr())
	want := queues.QueueDetails{
		DefaultMessageTTL: 600, DefaultMessageDelay: 30, MaxMessagesPostSize: 1000,
		DeadLetterQueue: "dead", DeadLetterQueueMessageTTL: 120, MaxClaimCount: 3,
		Extra: map[string]any{"description": "jobs"},
	}
	got, err := queues.Get(ctx, g.client, "work").Extract()
	g.ok("get", err)
	g.same("created", want, got)

	g.create("work") // changes nothing
	got, err = queues.Get(ctx, g.client, "work").Extract()
	g.ok("get", err)
	g.same("created again", want, got)

	for range 2 {
		g.ok("delete", queues.Delete(ctx, g.client, "work").ExtractErr())
	}
	got, err = queues.Get(ctx, g.client, "work").Extract()
	g.ok("get", err)
	g.same("deleted", defaults(), got)
}

func gopherPatch(g *gopher) {
	ctx := g.t.Context()
	g.create("work")
	got, err := queues.Update(ctx, g.client, "work", queues.BatchUpdateOpts{
		{Op: queues.ReplaceOp, Path: "/metadata/_max_claim_count", Value: 4},
		{Op: queues.AddOp, Path: "/metadata/color", Value: "red"},
		{Op: queues.AddOp, Path: "/metadata/size", Value: 1},
		{Op: queues.ReplaceOp, Path: "/metadata/size", Value: 2},
		{Op: queues.RemoveOp, Path: "/metadata/color", Value: "ignored"},
	}).Extract()
	g.ok("update", err)
	want := defaults()
	want.MaxClaimCount, want.Extra = 4, map[string]any{"size": 2.0}
	g.same("answer", want, got)
	got, err = queues.Get(ctx, g.client, "work").Extract()
	g.ok("get", err)
	g.same("patched", want, got)
}

func gopherQueueList(g *gopher) {
	var names []string
	for i := range 23 {
		names = append(names, fmt.Sprintf("q%02d", i))
		g.create(names[i])
	}
	for _, c := range []struct {
		opts  queues.ListOpts
		sizes []int
	}{
		{queues.ListOpts{}, []int{10, 10, 3}},
		{queues.ListOpts{Limit: 7, Detailed: true, WithCount: true}, []int{7, 7, 7, 2}},
		{queues.ListOpts{Limit: 20, Marker: "q04"}, []int{18}},
	} {
		var got []string
		var sizes []int
		err := queues.List(g.client, c.opts).EachPage(g.t.Context(), func(_ context.Context, p pagination.Page) (bool, error) {
			page, err := queues.ExtractQueues(p)
			for _, q := range page {
				got = append(got, q.Name)
				if c.opts.Detailed {
					g.same("metadata", defaults(), q.Metadata)
				}
			}
			sizes = append(sizes, len(page))
			if c.opts.WithCount {
				count, err := p.(queues.QueuePage).GetCount()
				g.ok("count", err)
				g.same("count", len(names), count)
			}
			return len(sizes) < 50, err
		})
		g.ok("list", err)
		g.same("names", names[slices.Index(names, c.opts.Marker)+1:], got)
		g.same("pages", c.sizes, sizes)
	}
	all, err := queues.List(newGopher(g.t, g.cloud).client, nil).AllPages(g.t.Context())
	g.ok("list of nothing", err)
	empty, err := all.IsEmpty()
	g.ok("list of nothing", err)
	g.same("another project's list is empty", true, empty)
}

func gopherStatsAndPurge(g *gopher) {
	ctx := g.t.Context()
	stats := func(want queues.Stats) {
		g.t.Helper()
		got, err := queues.GetStats(ctx, g.client, "work").Extract()
		g.ok("stats", err)
		g.same("stats", want, got)
	}
	stats(queues.Stats{})
	g.post(5)
	_, err := claims.Create(ctx, g.client, "work", claims.CreateOpts{TTL: 60, Grace: 60, Limit: 2}).Extract()
	g.ok("claim", err)
	stats(queues.Stats{Claimed: 2, Free: 3, Total: 5})

	purge := func(types ...queues.PurgeResource) {
		g.t.Helper()
		g.ok("purge", queues.Purge(ctx, g.client, "work", queues.PurgeOpts{ResourceTypes: types}).ExtractErr())
	}
	purge(queues.ResourceSubscriptions)
	stats(queues.Stats{Claimed: 2, Free: 3, Total: 5})
	purge(queues.ResourceMessages, queues.ResourceSubscriptions)
	stats(queues.Stats{Claimed: 2, Total: 2})
}

func gopherMessages(g *gopher) {
	ctx := g.t.Context()
	ids := g.post(4)
	got, err := messages.Get(ctx, g.client, "work", ids[2]).Extract()
	g.ok("get", err)
	g.same("message", messages.Message{
		Body: body(2), Age: got.Age, Href: "/v2/queues/work/messages/" + ids[2], ID: ids[2], TTL: 300,
	}, got)

	several, err := messages.GetMessages(ctx, g.client, "work", messages.GetMessagesOpts{IDs: []string{ids[0], ids[3], "nonsense"}}).Extract()
	g.ok("get several", err)
	var found []string
	for _, m := range several {
		found = append(found, m.ID)
	}
	slices.Sort(found)
	want := []string{ids[0], ids[3]}
	slices.Sort(want)
	g.same("several", want, found)

	for range 2 {
		g.ok("delete", messages.Delete(ctx, g.client, "work", ids[2], nil).ExtractErr())
		g.ok("delete several", messages.DeleteMessages(ctx, g.client, "work",
			messages.DeleteMessagesOpts{IDs: []string{ids[0], ids[1]}}).ExtractErr())
	}
	left, _ := g.numbers(messages.ListOpts{Echo: true})
	g.same("left", []int{3}, left)
}

func gopherMessageList(g *gopher) {
	g.post(20)
	g.post(20)
	all := append(upTo(20), upTo(20)...)
	for _, c := range []struct {
		limit int
		sizes []int
	}{
		{0, []int{10, 10, 10, 10}},
		{20, []int{20, 20}},
		{17, []int{17, 17, 6}},
		{1, slices.Repeat([]int{1}, 40)},
	} {
		got, sizes := g.numbers(messages.ListOpts{Limit: c.limit, Echo: true})
		g.same("numbers", all, got)
		g.same("pages", c.sizes, sizes)
		got, _ = g.other().numbers(messages.ListOpts{Limit: c.limit})
		g.same("numbers for another client", all, got)
	}
	got, _ := g.numbers(messages.ListOpts{})
	g.same("without echo", []int(nil), got)

	_, err := claims.Create(g.t.Context(), g.client, "work", claims.CreateOpts{TTL: 60, Grace: 60, Limit: 20}).Extract()
	g.ok("claim", err)
	got, _ = g.numbers(messages.ListOpts{Echo: true})
	g.same("without claimed ones", upTo(20), got)
	got, _ = g.numbers(messages.ListOpts{Echo: true, IncludeClaimed: true})
	g.same("with claimed ones", all, got)

	delayed := messages.BatchCreateOpts{{Body: body(0), Delay: 60}}
	ctx := g.t.Context()
	g.ok("create", queues.Create(ctx, g.client, queues.CreateOpts{QueueName: "later", DefaultMessageTTL: 60, DefaultMessageDelay: 1}).ExtractErr())
	_, err = messages.Create(ctx, g.client, "later", delayed).Extract()
	g.ok("post", err)
	for _, include := range []bool{false, true} {
		pages, err := messages.List(g.client, "later", messages.ListOpts{Echo: true, IncludeDelayed: include}).AllPages(ctx)
		g.ok("list", err)
		list, err := messages.ExtractMessages(pages)
		g.ok("list", err)
		g.same("delayed one is there", include, len(list) == 1)
	}
}

func gopherPop(g *gopher) {
	ids := g.post(5)
	for _, c := range []struct{ pop, from, to int }{{2, 0, 2}, {20, 2, 5}, {1, 5, 5}} {
		got, err := messages.PopMessages(g.t.Context(), g.client, "work", messages.PopMessagesOpts{Pop: c.pop}).Extract()
		g.ok("pop", err)
		var want []messages.PopMessage
		for i := c.from; i < c.to; i++ {
			want = append(want, messages.PopMessage{Body: body(i), ID: ids[i], TTL: 300})
		}
		for i := range got {
			got[i].Age = 0
		}
		if len(got) == 0 {
			got = nil
		}
		g.same(fmt.Sprintf("pop of %d", c.pop), want, got)
	}
}

func gopherClaims(g *gopher) {
	ctx := g.t.Context()
	none, err := claims.Create(ctx, g.client, "work", claims.CreateOpts{}).Extract()
	g.ok("claim of nothing", err)
	g.same("claim of nothing", 0, len(none))
	g.post(12)
	claimed, err := claims.Create(ctx, g.client, "work", claims.CreateOpts{TTL: 120, Grace: 60, Limit: 2}).Extract()
	g.ok("claim", err)
	if len(claimed) != 2 {
		g.t.Fatalf("claimed %d messages", len(claimed))
	}
	_, id, _ := strings.Cut(claimed[0].Href, "?claim_id=")

	got, err := claims.Get(ctx, g.client, "work", id).Extract()
	g.ok("get", err)
	g.same("claim", claims.Claim{
		Age: got.Age, TTL: 120, Href: "/v2/queues/work/claims/" + id, Messages: claimed,
	}, *got)

	g.ok("update", claims.Update(ctx, g.client, "work", id, claims.UpdateOpts{TTL: 600, Grace: 100}).ExtractErr())
	got, err = claims.Get(ctx, g.client, "work", id).Extract()
	g.ok("get", err)
	g.same("ttl", 600, got.TTL)

	rest, err := claims.Create(ctx, g.client, "work", claims.CreateOpts{}).Extract()
	g.ok("claim", err)
	g.same("the other claim", 10, len(rest))

	for range 2 {
		g.ok("delete", claims.Delete(ctx, g.client, "work", id).ExtractErr())
	}
	left, _ := g.numbers(messages.ListOpts{Echo: true})
	g.same("released", upTo(2), left)
}

func gopherClaimedMessages(g *gopher) {
	ctx := g.t.Context()
	ids := g.post(1)
	claimed, err := claims.Create(ctx, g.client, "work", claims.CreateOpts{TTL: 60, Grace: 60}).Extract()
	g.ok("claim", err)
	_, claim, _ := strings.Cut(claimed[0].Href, "?claim_id=")
	err = messages.Delete(ctx, g.client, "work", ids[0], nil).ExtractErr()
	if !gophercloud.ResponseCodeIs(err, http.StatusForbidden) {
		g.t.Errorf("delete without the claim: %v", err)
	}
	g.ok("delete", messages.Delete(ctx, g.client, "work", ids[0], messages.DeleteOpts{ClaimID: claim}).ExtractErr())
	if _, err := claims.Get(ctx, g.client, "work", claim).Extract(); !gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
		g.t.Errorf("claim without messages: %v", err)
	}
}

func gopherErrors(g *gopher) {
	ctx := g.t.Context()
	g.create("work")
	_, page := queues.List(g.client, queues.ListOpts{Limit: 21}).AllPages(ctx)
	_, post := messages.Create(ctx, g.client, "work", messages.BatchCreateOpts{}).Extract()
	_, message := messages.Get(ctx, g.client, "work", "nonsense").Extract()
	_, several := messages.GetMessages(ctx, g.client, "work", messages.GetMessagesOpts{IDs: []string{"a", "b"}}).Extract()
	_, patch := queues.Update(ctx, g.client, "work", queues.BatchUpdateOpts{
		{Op: queues.ReplaceOp, Path: "/metadata/unset", Value: 1}}).Extract()
	_, absent := queues.Update(ctx, g.client, "absent", queues.BatchUpdateOpts{
		{Op: queues.AddOp, Path: "/metadata/a", Value: 1}}).Extract()
	_, claim := claims.Create(ctx, g.client, "work", claims.CreateOpts{TTL: 59}).Extract()
	for _, c := range []struct {
		what   string
		err    error
		status int
	}{
		{"page too large", page, 400},
		{"queue name", queues.Create(ctx, g.client, queues.CreateOpts{QueueName: "a@b", DefaultMessageTTL: 60}).ExtractErr(), 400},
		{"post of nothing", post, 400},
		{"absent message", message, 404},
		{"absent messages", several, 404},
		{"patch of an unset key", patch, 409},
		{"patch of an absent queue", absent, 404},
		{"claim too short", claim, 400},
		{"absent claim", claims.Update(ctx, g.client, "work", "nonsense", claims.UpdateOpts{TTL: 60}).ExtractErr(), 404},
	} {
		if !gophercloud.ResponseCodeIs(c.err, c.status) {
			g.t.Errorf("%s: %v, want status %d", c.what, c.err, c.status)
		}
	}
}

func upTo(n int) []int {
	var list []int
	for i := range n {
		list = append(list, i)
	}
	return list
}

// gopherSubscriptions uses the library's client as such: it knows of
// subscriptions only that queues can be purged of them.
func gopherSubscriptions(g *gopher) {
	at := g.client.ServiceURL("v2", "queues", "work", "subscriptions")
	send := func(method, url string, in, out any, want int) {
		g.t.Helper()
		res, err := g.client.Request(g.t.Context(), method, url, &gophercloud.RequestOpts{JSONBody: in, JSONResponse: out, OkCodes: []int{want}})
		if err != nil {
			g.t.Fatalf("%s %s: %v", method, url, err)
		}
		if out == nil {
			_ = res.Body.Close()
		}
	}
	var made struct {
		ID string `json:"subscription_id"`
	}
	send("POST", at, map[string]any{"subscriber": "http://hook.example", "ttl": 600}, &made, 201)
	send("PATCH", at+"/"+made.ID, map[string]any{"ttl": 700}, nil, 204)
	var page struct {
		Subscriptions []struct {
			ID, Subscriber, Source string
			TTL                    int
			Confirmed              *bool
		}
	}
	send("GET", at, nil, &page, 200)
	if len(page.Subscriptions) != 1 || page.Subscriptions[0].ID != made.ID || page.Subscriptions[0].TTL != 700 || page.Subscriptions[0].Confirmed == nil {
		g.t.Errorf("listed: %+v", page)
	}
	purge := queues.PurgeOpts{ResourceTypes: []queues.PurgeResource{queues.ResourceSubscriptions}}
	if err := queues.Purge(g.t.Context(), g.client, "work", purge).ExtractErr(); err != nil {
		g.t.Fatal(err)
	}
	send("GET", at+"/"+made.ID, nil, nil, 404)
	send("DELETE", at+"/"+made.ID, nil, nil, 204)
}
