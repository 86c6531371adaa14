package confirm

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Mail is a confirmation document as a mail.
type Mail struct {
	Sender, Topic, Body string
}

// Template is what mails are made of. Body may hold {0}, the name of the queue
// or topic, {1}, its project, and {2}, the link; {{ and }} are braces.
type Template struct {
	Topic, Body, Sender string
}

const sender = "Zaqar Notifications <no-reply@openstack.org>"

// defaultSubscribed is the mail that asks for confirmation. Scripts that take
// the link out of mails look for it behind the last "below: ".
func defaultSubscribed() Template {
	return Template{
		Sender: sender, Topic: "Zaqar Notification - Subscription Confirmation",
		Body: "Somebody asks for the messages of the queue {0} of the project {1} to be sent to you. " +
			"None is sent before you confirm this. Do so at the page below: {2}",
	}
}

// defaultUnsubscribed is the mail that says that no more messages come.
func defaultUnsubscribed() Template {
	return Template{
		Sender: sender, Topic: "Zaqar Notification - Unsubscribe Confirmation",
		Body: "You get no more messages of the queue {0} of the project {1}. " +
			"If you want them again, say so at the page below: {2}",
	}
}

// or fills what is empty.
func (t Template) or(other Template) Template {
	return Template{cmp.Or(t.Topic, other.Topic), cmp.Or(t.Body, other.Body), cmp.Or(t.Sender, other.Sender)}
}

// body puts in what the placeholders stand for.
func (t Template) body(queue, project, link string) string {
	return strings.NewReplacer("{{", "{", "}}", "}", "{0}", queue, "{1}", project, "{2}", link).Replace(t.Body)
}

// ParseTemplate reads a template: topic:…,body:…,sender:…, in which the first
// colon of each pair ends the key, and values hold no comma and their quotes
// stand for themselves (notifications §11.4); or a JSON object with the same
// keys, whose values may hold anything. Keys that are not given stay empty.
func ParseTemplate(text string) (Template, error) {
	var t Template
	pairs, err := pairsOf(text)
	if err != nil {
		return t, err
	}
	for _, p := range pairs {
		switch p[0] {
		case "topic":
			t.Topic = p[1]
		case "body":
			t.Body = p[1]
		case "sender":
			t.Sender = p[1]
		default:
			return t, fmt.Errorf("%q is none of topic, body and sender", p[0])
		}
	}
	for name, value := range map[string]string{"topic": t.Topic, "sender": t.Sender} {
		if strings.ContainsAny(value, "\r\n\x00") {
			return t, fmt.Errorf("the %s does not fit into one line", name)
		}
	}
	rest := strings.NewReplacer("{{", "", "}}", "", "{0}", "", "{1}", "", "{2}", "").Replace(t.Body)
	if strings.ContainsAny(rest, "{}") {
		return t, errors.New("the body holds a placeholder other than {0}, {1} and {2}; braces are written {{ and }}")
	}
	return t, nil
}

func pairsOf(text string) (pairs [][2]string, err error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		var object map[string]string
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			return nil, errors.New("it begins as a JSON object and is none whose values are strings")
		}
		for key, value := range object {
			pairs = append(pairs, [2]string{key, value})
		}
		return pairs, nil
	}
	if text == "" {
		return nil, nil
	}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, found := strings.Cut(pair, ":")
		if !found {
			return nil, fmt.Errorf("%q is not of the form key:value; values with commas need the form of a JSON object", strings.TrimSpace(pair))
		}
		pairs = append(pairs, [2]string{strings.TrimSpace(key), strings.TrimSpace(value)})
	}
	return pairs, nil
}

// String writes the template as ParseTemplate reads it: as pairs if their
// form can hold the values, else as a JSON object.
func (t Template) String() string {
	var pairs []string
	object, plain := map[string]string{}, true
	for _, p := range [][2]string{{"topic", t.Topic}, {"body", t.Body}, {"sender", t.Sender}} {
		if name, value := p[0], p[1]; value != "" {
			pairs = append(pairs, name+":"+value)
			object[name] = value
			plain = plain && !strings.Contains(value, ",") && strings.TrimSpace(value) == value
		}
	}
	if plain {
		return strings.Join(pairs, ",")
	}
	text, _ := json.Marshal(object) // strings alone cannot fail
	return string(text)
}

// link is the address of the page with all that it needs to act. Pages that
// others wrote read the values as they stand (notifications §11.4).
func (d *document) link(page string) string {
	var b strings.Builder
	b.WriteString(page)
	next := byte('?')
	if strings.Contains(page, "?") {
		next = '&'
	}
	for _, p := range [][2]string{
		{"Signature", d.Signature}, {"Methods", d.Methods}, {"Paths", d.Paths}, {"Project", d.Project},
		{"Expires", d.Expires}, {"Url", d.URL}, {"Queue", d.Queue},
	} {
		b.WriteByte(next)
		b.WriteString(p[0] + "=" + inQuery(p[1]))
		next = '&'
	}
	return b.String()
}

// inQuery escapes what would break a query or a link within a text, and
// nothing else.
func inQuery(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || strings.IndexByte("#&+%;\"'<>\\^`{|}", c) >= 0 {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
