package confirm_test

import (
	"testing"

	"zaqar/messaging/delivery"
	"zaqar/notify/confirm"
)

func TestParseTemplate(t *testing.T) {
	for _, c := range []struct {
		text string
		want confirm.Template
		bad  bool
	}{
		{text: ""},
		{text: "topic:Confirm,body:See: {2},sender:a@b.example", want: confirm.Template{Topic: "Confirm", Body: "See: {2}", Sender: "a@b.example"}},
		{text: " topic : T , body:{0} {1} {2}", want: confirm.Template{Topic: "T", Body: "{0} {1} {2}"}},
		{text: "topic:'T'", want: confirm.Template{Topic: "'T'"}},
		{text: "body:{{0}} {0}", want: confirm.Template{Body: "{{0}} {0}"}},
		{text: `{"topic": "a, b", "body": "one,\ntwo: {2}"}`, want: confirm.Template{Topic: "a, b", Body: "one,\ntwo: {2}"}},
		{text: `{"topic": " Confirm", "body": "{2}\n"}`, want: confirm.Template{Topic: " Confirm", Body: "{2}\n"}},
		{text: "topic", bad: true},
		{text: "body:a, b", bad: true},
		{text: "subject:x", bad: true},
		{text: "body:{3}", bad: true},
		{text: "body:{}", bad: true},
		{text: "body:{queue}", bad: true},
		{text: "body:{0", bad: true},
		{text: `{"topic": 1}`, bad: true},
		{text: `{"topic": "x"`, bad: true},
		{text: `{"title": "x"}`, bad: true},
		{text: `{"topic": "x\nBcc: y"}`, bad: true},
		{text: `{"sender": "x\ry"}`, bad: true},
	} {
		got, err := confirm.ParseTemplate(c.text)
		if (err != nil) != c.bad || !c.bad && got != c.want {
			t.Errorf("%q: %+v, %v", c.text, got, err)
		}
		if again, err := confirm.ParseTemplate(got.String()); !c.bad && (err != nil || again != got) {
			t.Errorf("%q: written %q, and read as %+v, %v", c.text, got.String(), again, err)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, text := range []string{"topic:a,body:{0}b,sender:c", `{"topic": "a,b"}`, "body:{{}}", "a:b:c", "{"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		template, err := confirm.ParseTemplate(text)
		if err != nil {
			return
		}
		if again, err := confirm.ParseTemplate(template.String()); err != nil || again != template {
			t.Errorf("%q is %+v, written %q, and read as %+v, %v", text, template, template.String(), again, err)
		}
	})
}

// What is put in for a placeholder is not looked at again.
func TestTemplateBody(t *testing.T) {
	c := config()
	c.Page = "https://pages.example"
	c.Subscribed = confirm.Template{Body: "{{{0}}} {1}, again {1}"}
	d := confirm.New(c)
	sub := subscription()
	sub.Source.Project = "{0}{2}"
	mail, err := d.Mail(render(t, d, sub, delivery.SubscriptionConfirmation))
	if err != nil || mail.Body != "{q1} {0}{2}, again {0}{2}" {
		t.Errorf("%q, %v", mail.Body, err)
	}
}
