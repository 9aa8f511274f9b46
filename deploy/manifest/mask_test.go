package manifest

import (
	"slices"
	"strings"
	"testing"
)

func TestSecretsAreMaskedAndWhatIsNotSecretStays(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, test := range []struct{ name, env, value string }{
		{"a variable named by its secret", "DB_PASSWORD", secret},
		{"a variable named token", "GITHUB_TOKEN", secret},
		{"a connection string", "DATABASE_URL", "postgres://app:" + secret + "@db:5432/app"},
		{"a private key in an innocent variable", "CONFIG", "-----BEGIN RSA PRIVATE KEY-----\n" + secret},
		{"an access key by its form", "NOTES", "key AKIAIOSFODNN7EXAMPLE and " + strings.Repeat("x", 3)},
		{"options inside a value", "JAVA_OPTS", "-Xmx1g -Ddb.password=" + secret + " -Dx=y"},
		{"JSON inside a value", "SETTINGS", `{"user": "app", "client_secret": "` + secret + `"}`},
		{"an authorization header", "HEADER", "Authorization: Bearer " + secret},
	} {
		got := MaskEnv(test.env, test.value)
		if strings.Contains(got, secret) || strings.Contains(got, "AKIAIOSFODNN7EXAMPLE") || !strings.Contains(got, Masked) {
			t.Errorf("%s: %s=%s", test.name, test.env, got)
		}
	}
	for env, value := range map[string]string{
		"PATH": "/usr/local/bin:/usr/bin", "CLUSTER_NAME": "shop", "PASSWORD_FILE": "/run/secrets/password",
		"AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
		"AWS_ROLE_ARN":                "arn:aws:iam::111122223333:role/storefront", "OAUTH_ISSUER_URL": "https://login.example.com",
	} {
		if got := MaskEnv(env, value); got != value {
			t.Errorf("%s=%s became %s", env, value, got)
		}
	}
}

func TestSecretArgumentsAreMaskedInEveryForm(t *testing.T) {
	got := MaskArgs([]string{"app", "--password", "s3cret", "--token=s3cret", "--port", "8080", "--password-file", "/run/p", "-v"})
	want := []string{"app", "--password", Masked, "--token=" + Masked, "--port", "8080", "--password-file", "/run/p", "-v"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzMaskHidesWhatIsNamedSecretAndKeepsTheNumberOfArguments(f *testing.F) {
	f.Add("DB_PASSWORD", "x")
	f.Add("A", "postgres://a:b@c password=\"q w\" Bearer abcdefgh {\"token\": \"x\"}")
	f.Fuzz(func(t *testing.T, name, value string) {
		MaskValue(value)
		if got := MaskEnv("API_SECRET", value); value != "" && got != Masked {
			t.Errorf("API_SECRET=%q", got)
		}
		args := strings.Fields(name + " " + value)
		if got := MaskArgs(args); len(got) != len(args) {
			t.Errorf("%d arguments became %d", len(args), len(got))
		}
	})
}
