package secret

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/inspect"
)

// Planted values are put together here, so that no scanner takes this file for a leak.
var (
	awsID        = "AKIA" + "Z7QXW3RTKLMN4PVB"
	awsSecret    = "kT9f/" + "Yw3LqPzR7vXbN2mCdJ5sHgA8uEe4Ki0BtWp"
	githubPAT    = gitHubToken("ghp_", "b7Kq2LmN9xTzR4vYw8Pc3JdHs6Ga1U")
	gitlab       = "glpat-" + "x8Kq2LmN9xTzR4vYw8Pc"
	slack        = "xoxb-" + "481516234212-481516234213-b7Kq2LmN9xTzR4vYw8Pc3JdH"
	stripe       = "sk_live_" + "b7Kq2LmN9xTzR4vYw8Pc3JdH"
	sessionToken = b64(`{"alg":"HS256","typ":"JWT"}`) + "." + b64(`{"sub":"42","iss":"shop"}`) + "." + "b7Kq2LmN9xTzR4vYw8Pc3JdHs6Ga1UfEe0BiAAA"
	password     = "Tr0ub4dor" + "&3x"
)

// gitHubToken ends in the checksum that GitHub's tokens have.
func gitHubToken(prefix, random string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := crc32.ChecksumIEEE([]byte(random))
	end := make([]byte, 6)
	for i := range end {
		end[5-i] = digits[sum%62]
		sum /= 62
	}
	return prefix + random + string(end)
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func ecKey(t testing.TB) string {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func examine(t testing.TB, name string, content []byte, piece int) []triad.Finding {
	t.Helper()
	s := New().Open(t.Context(), inspect.File{Name: name, Size: int64(max(len(content), 8)), Mode: 0o644})
	if s == nil {
		return nil
	}
	for len(content) > 0 {
		n := min(piece, len(content))
		if _, err := s.Write(content[:n]); err != nil {
			t.Fatal(err)
		}
		content = content[n:]
	}
	found, err := s.Close()
	if err != nil {
		t.Fatal(err)
	}
	var out []triad.Finding
	for _, f := range found {
		out = append(out, f.Finding)
	}
	return out
}

func brief(found []triad.Finding) string {
	var parts []string
	for _, f := range found {
		parts = append(parts, fmt.Sprintf("%s:%d", f.ID, f.Line))
	}
	return strings.Join(parts, " ")
}

func TestASecretIsFoundWhereItStands(t *testing.T) {
	key := ecKey(t)
	for _, test := range []struct{ name, file, content, want string }{
		{"an access key of AWS in its credentials file", "root/.aws/credentials", "[default]\naws_access_key_id = " + awsID + "\naws_secret_access_key = " + awsSecret + "\n", "aws-access-key:3"},
		{"a token of GitHub in a shell script", "app/run.sh", "#!/bin/sh\nexport T=" + githubPAT + "\n", "github-personal-access-token:2"},
		{"a token of GitHub in a program without an extension", "app/server", "\x7fELF\x00\x00\x00" + strings.Repeat("\x00", 100) + githubPAT + "\x00", "github-personal-access-token:1"},
		{"what has the form of one, its checksum wrong", "app/x.sh", "T=ghp_" + "b7Kq2LmN9xTzR4vYw8Pc3JdHs6Ga1UfEe0Bi\n", "github-token-form:1"},
		{"the ID of an access key of AWS alone", "app/x.sh", "aws configure set aws_access_key_id " + awsID + "\n", "aws-access-key-id:1"},
		{"a token of GitLab beside one of Slack", "app/x.txt", gitlab + " " + slack + "\n", "gitlab-personal-access-token:1 slack-token:1"},
		{"a key of Stripe in JavaScript", "app/pay.js", "const k = '" + stripe + "';", "stripe-secret-key:1"},
		{"a JSON web token", "app/session.txt", "\n\nBearer " + sessionToken + "\n", "json-web-token:3"},
		{"a private key", "etc/ssl/private/tls.key", key, "private-key:1"},
		{"a private key in JSON, its line ends written", "app/config.json", `{"key": "` + strings.ReplaceAll(key, "\n", `\n`) + `"}`, "private-key:1"},
		{"a private key in YAML, indented", "app/secret.yaml", "tls:\n  key: |\n    " + strings.ReplaceAll(key, "\n", "\n    "), "private-key:3"},
		{"a password in an environment file", "app/.env", "DB_HOST=db\nDB_PASSWORD=" + password + "\n", "password-assignment:2"},
		{"a password in YAML", "app/config.yaml", "db:\n  password: " + password + "\n", "password-assignment:2"},
		{"a password in JSON", "app/config.json", `{"db": {"dbPassword": "` + password + `"}}`, "password-assignment:1"},
		{"a password in XML", "app/context.xml", "<password>" + password + "</password>", "password-assignment:1"},
		{"a password in Python", "app/settings.py", "PASSWORD = '" + password + "'\n", "password-assignment:1"},
		{"a password in a URL", "app/config.toml", "dsn = \"postgres://shop:" + "s3cr3tPw" + "@db.internal:5432/shop\"\n", "password-in-url:1"},
		{"git's stored credentials", "root/.git-credentials", "https://bot:" + password + "@git.internal\n", "password-in-url:1"},
		{"a netrc", "root/.netrc", "machine repo.internal\n  login bot\n  password " + password + "\n", "password-assignment:3"},
		{"a password file of PostgreSQL", "root/.pgpass", "# comment\ndb:5432:shop:app:" + password + "\n", "password-assignment:2"},
		{"a registry's credentials of Docker", "root/.docker/config.json", `{"auths": {"reg.internal": {"auth": "` + base64.StdEncoding.EncodeToString([]byte("bot:"+password)) + `"}}}`, "secret-assignment:1"},
		{"a token of npm", "root/.npmrc", "//registry.internal/:_authToken=" + "b7Kq2LmN9xTzR4vYw8Pc\n", "secret-assignment:1"},
		{"a password of PyPI", "root/.pypirc", "[pypi]\nusername = bot\npassword = " + password + "\n", "password-assignment:3"},
		{"a token in a kubeconfig", "root/.kube/config", "users:\n- user:\n    token: " + "b7Kq2LmN9xTzR4vYw8Pc3JdHs6Ga\n", "secret-assignment:3"},
		{"a password in the state of Terraform", "infra/terraform.tfstate", `{"attributes": {"username": "root", "master_password": "` + password + `"}}`, "password-assignment:1"},
		{"a password hash", "etc/shadow", "root:*:19000:0:99999:7:::\napp:$6$" + "saltsalt$abcdefghijkl:19000:0:99999:7:::\n", "password-assignment:2"},
		{"many lines down", "app/big.txt", strings.Repeat("nothing here\n", 40000) + githubPAT + "\n", "github-personal-access-token:40001"},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := examine(t, test.file, []byte(test.content), 1<<20)
			if got := brief(found); got != test.want {
				t.Errorf("found %q, not %q", got, test.want)
			}
			clear, _ := json.Marshal(found)
			for _, s := range []string{awsSecret, githubPAT, gitlab, slack, stripe, sessionToken, password, "s3cr3tPw", strings.Split(key, "\n")[1]} {
				if bytes.Contains(clear, []byte(s)) {
					t.Errorf("%q is in clear in %s", s, clear)
				}
			}
		})
	}
}

func TestWhatIsNoSecretIsNotFound(t *testing.T) {
	for _, test := range []struct{ name, file, content string }{
		{"a placeholder", "app/.env", "DB_PASSWORD=changeme\nAPI_TOKEN=<your-token>\n"},
		{"a reference to the environment", "app/config.yaml", "password: ${DB_PASSWORD}\ntoken: {{ .Values.token }}\n"},
		{"a call", "app/settings.py", "password = os.environ['DB_PASSWORD']\ntoken = get_token('abc')\n"},
		{"the name of a secret", "app/deploy.yaml", "secretName: shop-tls-2024x\nexistingSecret: db-credentials-1\n"},
		{"a path", "app/.env", "POSTGRES_PASSWORD_FILE=/run/secrets/db\nDB_PASSWORD=/run/secrets/db\n"},
		{"a header of a key alone", "app/parse.go", `if strings.HasPrefix(s, "-----BEGIN RSA PRIVATE KEY-----") {`},
		{"a key of somebody's tests", "app/node_modules/tls/test/key.pem", ecKey(t)},
		{"a URL with a user and no password", "app/x.yaml", "url: ssh://git@github.com/x/y\n"},
		{"a URL of documentation", "app/x.yaml", "url: https://user:pass1word@example.com/\n"},
		{"the token of jwt.io", "app/x.txt", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"},
		{"one that is meant to be there", "app/.env", "DB_PASSWORD=" + password + " # triad:allow-secret\nT=" + githubPAT + " # gitleaks:allow\n"},
		{"a sentence about passwords", "app/notes.conf", "# The password: it must be long and hard to guess 1\n"},
		{"a label of a form", "app/i18n/en.json", `{"password": "Password", "token": "Access token"}`},
		{"a type", "app/api.ts", "interface A { password: string; token: string }"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if found := examine(t, test.file, []byte(test.content), 1<<20); len(found) > 0 {
				t.Errorf("found %s: %s", brief(found), found[0].Detail)
			}
		})
	}
}

func TestAnEncryptedKeyWeighsLess(t *testing.T) {
	block := "-----BEGIN OPENSSH PRIVATE KEY-----\n" + base64.StdEncoding.EncodeToString(append([]byte("openssh-key-v1\x00\x00\x00\x00\x0aaes256-ctr\x00\x00\x00\x06bcrypt"), make([]byte, 200)...)) + "\n-----END OPENSSH PRIVATE KEY-----\n"
	found := examine(t, "root/.ssh/id_ed25519", []byte(block), 100)
	if len(found) != 1 || found[0].Severity != medium || !strings.Contains(found[0].Title, "passphrase") {
		t.Errorf("found %+v", found)
	}
	if found = examine(t, "root/.ssh/id_ecdsa", []byte(ecKey(t)), 100); len(found) != 1 || found[0].Severity != high {
		t.Errorf("found %+v", found)
	}
}

func TestTheConfigOfAnImageIsLookedAt(t *testing.T) {
	c := &v1.ConfigFile{
		Config: v1.Config{
			Env:    []string{"PATH=/usr/bin", "GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568", "DB_PASSWORD=" + password, "GH=" + githubPAT},
			Labels: map[string]string{"deploy.token": "b7Kq2LmN9xTzR4vYw8Pc3JdH"},
			Cmd:    []string{"serve", "--token", "x"},
		},
		History: []v1.History{{CreatedBy: "RUN |1 NPM_TOKEN=npm_" + "b7Kq2LmN9xTzR4vYw8Pc3JdHs6Ga1UfEe0Bi /bin/sh -c npm ci # buildkit"}},
	}
	found, err := New().Config(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, f.Path+" "+f.ID)
	}
	want := "config/env/DB_PASSWORD password-assignment|config/env/GH github-personal-access-token|config/labels/deploy.token secret-assignment|config/history/0 npm-access-token"
	if strings.Join(got, "|") != want {
		t.Errorf("found %s\nnot   %s", strings.Join(got, "|"), want)
	}
	clear, _ := json.Marshal(found)
	if bytes.Contains(clear, []byte(password)) || bytes.Contains(clear, []byte(githubPAT)) {
		t.Errorf("in clear: %s", clear)
	}
}

func TestContentMadeToBeSlowIsBoundedAndSaysSo(t *testing.T) {
	// Most of 20 MB is only looked through by the filter: the time of the detectors is bounded by
	// the work that they may do, whatever the content.
	for _, kind := range []string{"words", "keys", "tokens"} {
		_, err := feed(t, "app/x.txt", corpus(kind, 20<<20), 1<<20)
		if err == nil || !strings.Contains(err.Error(), "were not looked at") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if found, err := feed(t, "app/x.js", corpus("minified", 20<<20), 1<<20); err != nil || len(found) > 0 {
		t.Errorf("a minified line: %v %v", found, err)
	}
}

func TestArgumentsAreMaskedAlsoByTheOptionBefore(t *testing.T) {
	got := MaskArguments([]string{"serve", "--api-token", "abc123", "--port", "80", "--token-file", "/run/t", "DB_PASSWORD=x1"})
	if want := "serve --api-token **** --port 80 --token-file /run/t DB_PASSWORD=****"; strings.Join(got, " ") != want {
		t.Errorf("masked %q", got)
	}
	if MaskArguments(nil) != nil {
		t.Error("no arguments became some")
	}
}

func TestMaskHidesWhatIsSecretAndNothingElse(t *testing.T) {
	for in, want := range map[string]string{
		"RUN apt-get install -y curl":                              "RUN apt-get install -y curl",
		"ENV DB_PASSWORD=" + password:                              "ENV DB_PASSWORD=****",
		"ENV POSTGRES_PASSWORD=postgres PGDATA=/var/lib":           "ENV POSTGRES_PASSWORD=**** PGDATA=/var/lib",
		"RUN |1 TOKEN=abc /bin/sh -c make":                         "RUN |1 TOKEN=**** /bin/sh -c make",
		"RUN curl -H 'Authorization: token " + githubPAT + "' x":   "RUN curl -H 'Authorization: token ghp_****' x",
		"CMD app --api-token abc123 --port 80":                     "CMD app --api-token **** --port 80",
		"RUN git clone https://bot:" + password + "@git.internal/": "RUN git clone https://bot:****@git.internal/",
		"ENV PASSWORD_FILE=/run/x TOKEN=/run/y":                    "ENV PASSWORD_FILE=/run/x TOKEN=/run/y",
	} {
		got := Mask(in)
		if got != want {
			t.Errorf("Mask(%q) = %q, not %q", in, got, want)
		}
		if again := Mask(got); again != got {
			t.Errorf("masked again it is %q", again)
		}
	}
}
