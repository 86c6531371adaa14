package rest

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"zaqar/auth/signed"
	"zaqar/messaging"
)

// confirmationPath is where confirmation mails lead (notifications §11.4).
const confirmationPath = "/v2/confirm"

// confirmationRoute is a page for people. Everything it needs is in the signed
// query of its address, and it stands for the request that this signs: PUT to
// the confirm path of a subscription. Looking at it changes nothing.
func confirmationRoute() route {
	show := (*call).confirmationPage
	return route{path: confirmationPath, needs: needsNothing, page: true,
		on: verbs{http.MethodGet: show, http.MethodHead: show, http.MethodPost: show}}
}

//go:embed confirmpage.html
var confirmationHTML string

// page is a template and the headers that keep what it shows in.
type page struct {
	template *template.Template
	policy   string // Content-Security-Policy
}

// newPage reads the template. Its one style sheet is allowed by its hash.
func newPage() *page {
	_, style, _ := strings.Cut(confirmationHTML, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	hash := sha256.Sum256([]byte(style))
	return &page{
		template: template.Must(template.New("confirmation").Parse(confirmationHTML)),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
			"'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	}
}

// shown is what the page says.
type shown struct {
	Failure        string // in place of everything else
	Kind           string // queue or topic
	Queue, Project string
	Expires        string
	Done           string // what was chosen: "", "true" or "false"
}

var typesHTML = []string{"text/html; charset=utf-8"}

// show sends the page.
func (c *call) show(status int, what shown) error {
	var b bytes.Buffer
	if err := c.pages.template.Execute(&b, what); err != nil {
		return err
	}
	h := c.w.Header()
	h["Content-Security-Policy"] = []string{c.pages.policy}
	h["Referrer-Policy"] = []string{"no-referrer"} // the address is the credential
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["X-Frame-Options"] = []string{"DENY"}
	h["X-Robots-Tag"] = []string{"noindex"}
	h["Cache-Control"] = []string{"no-store"}
	return c.send(status, typesHTML, b.Bytes())
}

// showFailure sends the page that a failure makes of it.
func (c *call) showFailure(status int, what string) {
	if status == http.StatusNotFound {
		what = "This link is not valid, or not any more."
	}
	_ = c.show(status, shown{Failure: what})
}

// openPage lets requests for the page pass whose query is signed for a
// confirmation, and finds the route and the caller that they stand for.
func (c *call) openPage() error {
	c.signed = true
	p, query, ok := presentedInQuery(c.r.URL.RawQuery)
	if !ok || !c.Signatures.Open(p, http.MethodPut, p.Paths, c.broker.Now()) {
		return errNothing()
	}
	to, vars, found := c.table.find(&url.URL{Path: p.Paths})
	if !found || !strings.HasSuffix(to.path, "/{subscription_id}/confirm") || utf8.RuneCountInString(p.Project) > messaging.MaxProjectLength || !utf8.ValidString(p.Project) {
		return errNothing()
	}
	c.is(messaging.Caller{Project: messaging.Project(p.Project), Signed: true})
	c.queue = messaging.QueueRef{Project: c.who.Project, Name: vars[0], Topic: to.names("topic_name")}
	if !messaging.ValidName(c.queue.Name) {
		return errNothing()
	}
	c.stands, c.vars, c.until = to, vars, query.Get("Expires")
	return nil
}

// presentedInQuery returns what the address of the page presents, and false if
// something is missing, or there twice.
func presentedInQuery(raw string) (p signed.Presented, query url.Values, ok bool) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return p, nil, false
	}
	for _, f := range []struct {
		name string
		to   *string
	}{
		{"Signature", &p.Signature}, {"Methods", &p.Methods}, {"Paths", &p.Paths}, {"Project", &p.Project}, {"Expires", &p.Expires},
	} {
		if len(query[f.name]) != 1 {
			return p, nil, false
		}
		*f.to = query[f.name][0]
	}
	return p, query, true
}

// confirmationPage shows the page, after it has done what its buttons ask for.
func (c *call) confirmationPage() error {
	if err := c.broker.Permit(c.r.Context(), c.who, c.stands.rules[http.MethodPut], c.queue); err != nil {
		return err
	}
	what := shown{Kind: "queue", Queue: c.queue.Name, Project: string(c.who.Project), Expires: c.until}
	if c.queue.Topic {
		what.Kind = "topic"
	}
	if c.r.Method != http.MethodPost {
		return c.show(http.StatusOK, what)
	}
	confirmed, err := c.chosen()
	if err != nil {
		return err
	}
	if err := c.broker.ConfirmSubscription(c.r.Context(), c.who, c.queue, messaging.SubscriptionID(c.vars[1]), confirmed); err != nil {
		return err
	}
	what.Done = "false"
	if confirmed {
		what.Done = "true"
	}
	return c.show(http.StatusOK, what)
}

// mostChosen is the size of what the buttons send, with room to spare.
const mostChosen = 1 << 10

// chosen reads which button was pressed.
func (c *call) chosen() (confirmed bool, err error) {
	s := c.memory()
	if err := c.read(s, mostChosen); err != nil {
		return false, err
	}
	form, err := url.ParseQuery(string(s.In))
	if err == nil && len(form["confirmed"]) == 1 {
		switch form["confirmed"][0] {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return false, invalid("The form is not the one of this page.")
}

// deed is the route and the method of what a request does: those of the one
// that a page stands for.
func (c *call) deed() (r *route, method string) {
	if c.stands == nil {
		return c.route, c.r.Method
	}
	if c.r.Method == http.MethodPost {
		return c.stands, http.MethodPut
	}
	return c.stands, http.MethodGet
}
