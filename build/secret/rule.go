package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
)

// Severities of findings.
const (
	low      = "low"
	medium   = "medium"
	high     = "high"
	critical = "critical"
)

// rule is one kind of secret. It has find or at, not both.
type rule struct {
	id, title, severity string
	// words are what must be near every secret of this kind; fold ignores their case.
	words []string
	fold  bool
	// before and after are how far from the beginning of a word a secret may begin and end,
	// in bytes.
	before, after int
	// random: the issuer draws the value, so that nobody can guess it from its fingerprint.
	random bool
	// shown is how many characters at the value's beginning only tell its kind.
	shown int
	// classes are the files in which it is looked for; zero is all.
	classes class
	// own: it is looked for only in files that are not somebody else's. There it is an example, or
	// a key that is public anyway.
	own bool
	// find returns the secrets in a stretch of content that has one or more of the words.
	find func(window []byte) []match
	// at returns the secret that belongs to the word at data[pos].
	at func(data []byte, pos int, c class) (match, bool)
}

// match is a secret in a stretch of content: value is data[start:end].
type match struct {
	start, end int
	// lead is how far before the value something of the same secret begins: the ID of a key.
	lead int
	// name is what it is called where it stands: the variable's or the user's name.
	name string
	// severity and title differ from the rule's where the value itself says so.
	severity, title string
	shown           int
}

// version of what is found; bump it when rules change otherwise than by the table.
const version = "1"

// scalibr is the version of veles that is linked.
const scalibr = "v0.5.3"

// The rules and what is made of them: only a scan needs them, and making them takes longer
// than most commands do.
var (
	rules = sync.OnceValue(allRules)
	words = sync.OnceValue(func() *filter { return newFilter(rules()) })
	key   = sync.OnceValue(rulesKey)
	// widest is how far before a word any rule looks.
	widest = sync.OnceValue(func() (n int) {
		for _, r := range rules() {
			n = max(n, r.before)
		}
		return n
	})
)

// allRules are the rules, the most certain first: of two secrets in one place the first counts.
func allRules() []*rule {
	var all []*rule
	all = append(all, keyRules()...)
	all = append(all, velesRules()...)
	all = append(all, tokenRules()...)
	all = append(all, webTokenRules()...)
	all = append(all, urlRules()...)
	all = append(all, assignmentRules()...)
	for _, r := range all {
		switch r.id {
		case "gcp-api-key", "http-basic-auth", "json-web-token", "password-in-url", "stripe-webhook-secret", "mistral-api-key", "vapid-private-key", "recaptcha-secret",
			"vault-approle", "slack-webhook", "discord-webhook", "aws-access-key-id", "github-token-form", "azure-client-secret", "twilio-api-key":
			r.own = true
		}
	}
	return all
}

// rulesKey names the rules, so that records made with others are not used.
func rulesKey() string {
	h := sha256.New()
	for _, r := range rules() {
		h.Write([]byte(r.id + "\n" + r.severity + "\n"))
		for _, w := range r.words {
			h.Write([]byte(w + "\n"))
		}
	}
	return "secrets/" + version + "/veles " + scalibr + "/" + hex.EncodeToString(h.Sum(nil)[:6])
}
