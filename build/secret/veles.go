package secret

import (
	"bytes"
	"reflect"
	"slices"

	"github.com/google/osv-scalibr/veles"
	"github.com/google/osv-scalibr/veles/secrets/anthropicapikey"
	"github.com/google/osv-scalibr/veles/secrets/awsaccesskey"
	"github.com/google/osv-scalibr/veles/secrets/azurestorageaccountaccesskey"
	"github.com/google/osv-scalibr/veles/secrets/bitwardenoauth2access"
	"github.com/google/osv-scalibr/veles/secrets/circleci"
	"github.com/google/osv-scalibr/veles/secrets/cloudflareapitoken"
	"github.com/google/osv-scalibr/veles/secrets/cratesioapitoken"
	"github.com/google/osv-scalibr/veles/secrets/cursorapikey"
	"github.com/google/osv-scalibr/veles/secrets/denopat"
	"github.com/google/osv-scalibr/veles/secrets/digitaloceanapikey"
	"github.com/google/osv-scalibr/veles/secrets/discordbottoken"
	"github.com/google/osv-scalibr/veles/secrets/dockerhubpat"
	"github.com/google/osv-scalibr/veles/secrets/elasticcloudapikey"
	"github.com/google/osv-scalibr/veles/secrets/gcpapikey"
	"github.com/google/osv-scalibr/veles/secrets/gcpexpressmode"
	"github.com/google/osv-scalibr/veles/secrets/gcpoauth2access"
	"github.com/google/osv-scalibr/veles/secrets/gcpoauth2client"
	"github.com/google/osv-scalibr/veles/secrets/gcpsak"
	"github.com/google/osv-scalibr/veles/secrets/gcshmackey"
	"github.com/google/osv-scalibr/veles/secrets/github"
	"github.com/google/osv-scalibr/veles/secrets/gitlabpat"
	"github.com/google/osv-scalibr/veles/secrets/grokxaiapikey"
	"github.com/google/osv-scalibr/veles/secrets/hashicorpvault"
	"github.com/google/osv-scalibr/veles/secrets/hcp"
	"github.com/google/osv-scalibr/veles/secrets/herokuplatformkey"
	httpauth "github.com/google/osv-scalibr/veles/secrets/http"
	"github.com/google/osv-scalibr/veles/secrets/huggingfaceapikey"
	"github.com/google/osv-scalibr/veles/secrets/mistralapikey"
	"github.com/google/osv-scalibr/veles/secrets/npmjsaccesstoken"
	"github.com/google/osv-scalibr/veles/secrets/onepasswordkeys"
	"github.com/google/osv-scalibr/veles/secrets/openai"
	"github.com/google/osv-scalibr/veles/secrets/openrouter"
	"github.com/google/osv-scalibr/veles/secrets/packagist"
	"github.com/google/osv-scalibr/veles/secrets/paystacksecretkey"
	"github.com/google/osv-scalibr/veles/secrets/perplexityapikey"
	"github.com/google/osv-scalibr/veles/secrets/postmanapikey"
	"github.com/google/osv-scalibr/veles/secrets/pypiapitoken"
	"github.com/google/osv-scalibr/veles/secrets/pyxkeyv1"
	"github.com/google/osv-scalibr/veles/secrets/pyxkeyv2"
	"github.com/google/osv-scalibr/veles/secrets/recaptchakey"
	"github.com/google/osv-scalibr/veles/secrets/rubygemsapikey"
	"github.com/google/osv-scalibr/veles/secrets/salesforceoauth2access"
	"github.com/google/osv-scalibr/veles/secrets/salesforceoauth2client"
	"github.com/google/osv-scalibr/veles/secrets/salesforceoauth2refresh"
	"github.com/google/osv-scalibr/veles/secrets/sendgrid"
	"github.com/google/osv-scalibr/veles/secrets/slacktoken"
	"github.com/google/osv-scalibr/veles/secrets/squareapikey"
	"github.com/google/osv-scalibr/veles/secrets/stripeapikeys"
	"github.com/google/osv-scalibr/veles/secrets/supabase"
	"github.com/google/osv-scalibr/veles/secrets/telegrambotapitoken"
	"github.com/google/osv-scalibr/veles/secrets/tinkkeyset"
	"github.com/google/osv-scalibr/veles/secrets/vapid"
)

// reach is how far around a word veles' detectors look: enough for the longest secret that
// has a length (a token with claims), and far below the 1.25 MiB that some of them allow for.
const reach = 8 << 10

// velesRules are veles' detectors, each with the words that every secret it finds has near
// it. Not taken: those that validate over the network; urlcreds and gitbasicauth, which the
// rule for URLs covers and which take a user without a password for a secret; privatekey,
// which knows no encrypted keys; the cookies and CSRF tokens of HTTP dumps, which are not lasting.
func velesRules() []*rule {
	return []*rule{
		fromVeles("anthropic-api-key", "Anthropic API key", high, 7, anthropicapikey.NewDetector(), "sk-ant-"),
		fromVeles("aws-access-key", "AWS access key", critical, 0, awsaccesskey.NewDetector(), "AKIA", "ASIA"),
		folded(fromVeles("azure-storage-account-key", "Azure storage account key", critical, 0, azurestorageaccountaccesskey.NewDetector(), "azure", "az storage")),
		fromVeles("bitwarden-client-secret", "Bitwarden API client secret", high, 0, bitwardenoauth2access.NewDetector(), "_token_apiKeyClientSecret"),
		fromVeles("circleci-personal-token", "CircleCI personal access token", high, 7, circleci.NewPersonalAccessTokenDetector(), "CCIPAT_"),
		fromVeles("circleci-project-token", "CircleCI project token", high, 7, circleci.NewProjectTokenDetector(), "CCIPRJ_"),
		folded(fromVeles("cloudflare-api-token", "Cloudflare API token", high, 0, cloudflareapitoken.NewDetector(), "cloudflare_", "cf_api_", "cf_token")),
		folded(near(fromVeles("crates-io-token", "crates.io API token", high, 3, cratesioapitoken.NewDetector(), "cargo", "crates", "registr"))),
		folded(near(fromVeles("cursor-api-key", "Cursor API key", high, 4, cursorapikey.NewDetector(), "cursor"))),
		folded(near(fromVeles("deno-user-token", "Deno Deploy user token", high, 4, denopat.NewUserTokenDetector(), "deno"))),
		folded(near(fromVeles("deno-organization-token", "Deno Deploy organization token", high, 4, denopat.NewOrgTokenDetector(), "deno"))),
		fromVeles("digitalocean-token", "DigitalOcean personal access token", critical, 7, digitaloceanapikey.NewDetector(), "dop_v1_"),
		folded(fromVeles("discord-bot-token", "Discord bot token", high, 0, discordbottoken.NewDetector(), "discord")),
		fromVeles("docker-hub-token", "Docker Hub personal access token", critical, 9, dockerhubpat.NewDetector(), "dckr_pat_"),
		fromVeles("elastic-cloud-key", "Elastic Cloud API key", high, 5, elasticcloudapikey.NewDetector(), "essu_"),
		fromVeles("gcp-api-key", "Google API key", medium, 6, gcpapikey.NewDetector(), "AIzaSy"),
		fromVeles("gcp-express-key", "Google Cloud express mode key", high, 7, gcpexpressmode.NewDetector(), "AQ.Ab8R"),
		fromVeles("gcp-access-token", "Google OAuth access token", medium, 5, gcpoauth2access.NewDetector(), "ya29."),
		fromVeles("gcp-oauth-client-secret", "Google OAuth client secret", high, 7, gcpoauth2client.NewDetector(), "GOCSPX-"),
		fromVeles("gcp-service-account-key", "Google Cloud service account key", critical, 0, gcpsak.NewDetector(), "auth_provider_x509_cert_url", "ewogICJ0eXBlIjogInNlcnZpY2VfYWNjb3VudCIs"),
		fromVeles("gcs-hmac-key", "Google Cloud Storage HMAC key", critical, 0, gcshmackey.NewDetector(), "GOOG"),
		fromVeles("github-refresh-token", "GitHub App refresh token", high, 4, github.NewAppRefreshTokenDetector(), "ghr_", "Z2hyX"),
		fromVeles("github-app-user-token", "GitHub App user access token", high, 4, github.NewAppU2SDetector(), "ghu_", "Z2h1X"),
		fromVeles("github-app-token", "GitHub App installation access token", high, 4, github.NewAppS2STokenDetector(), "ghs_", "Z2hzX"),
		fromVeles("github-personal-access-token", "GitHub personal access token (classic)", critical, 4, github.NewClassicPATDetector(), "ghp_", "Z2hwX"),
		fromVeles("github-oauth-token", "GitHub OAuth access token", critical, 4, github.NewOAuthTokenDetector(), "gho_", "Z2hvX"),
		fromVeles("github-fine-grained-token", "GitHub personal access token (fine-grained)", critical, 11, github.NewFineGrainedPATDetector(), "github_pat_", "Z2l0aHViX3BhdF"),
		fromVeles("gitlab-personal-access-token", "GitLab personal access token", critical, 6, gitlabpat.NewDetector(), "glpat-"),
		fromVeles("xai-api-key", "xAI API key", high, 4, grokxaiapikey.NewAPIKeyDetector(), "xai-"),
		fromVeles("xai-management-key", "xAI management key", high, 10, grokxaiapikey.NewManagementKeyDetector(), "xai-token-"),
		fromVeles("vault-token", "HashiCorp Vault token", critical, 4, hashicorpvault.NewTokenDetector(), "hvs.", "hvb."),
		folded(fromVeles("vault-approle", "HashiCorp Vault AppRole credentials", high, 0, hashicorpvault.NewAppRoleDetector(), "secret_id", "secret-id", "secretid")),
		fromVeles("hcp-client-secret", "HashiCorp Cloud Platform client secret", high, 0, hcp.NewPairDetector(), "HCP_CLIENT_SECRET", "hcp_client_secret"),
		fromVeles("heroku-api-key", "Heroku API key", high, 5, herokuplatformkey.NewSecretKeyDetector(), "HRKU-"),
		folded(fromVeles("http-basic-auth", "HTTP basic credentials", high, 0, httpauth.NewBasicAuthDetector(), "authorization")),
		folded(near(fromVeles("huggingface-token", "Hugging Face access token", high, 3, huggingfaceapikey.NewDetector(), "huggingface", "hugging_face", "hf_token", "hf_hub", "hf_api", "hf_home"))),
		folded(fromVeles("mistral-api-key", "Mistral API key", high, 0, mistralapikey.NewDetector(), "mistral")),
		fromVeles("npm-access-token", "npm access token", critical, 4, npmjsaccesstoken.NewDetector(), "npm_"),
		folded(near(fromVeles("1password-secret-key", "1Password secret key", critical, 3, onepasswordkeys.NewSecretKeyDetector(), "1password", "onepassword", "secret key", "secret_key", "secret-key", "emergency kit"))),
		fromVeles("1password-service-token", "1Password service account token", critical, 4, onepasswordkeys.NewServiceTokenDetector(), "ops_eyJ"),
		fromVeles("1password-recovery-code", "1Password recovery code", critical, 5, onepasswordkeys.NewRecoveryTokenDetector(), "1PRK-"),
		fromVeles("openai-api-key", "OpenAI API key", high, 3, openai.NewDetector(), "T3BlbkFJ"),
		fromVeles("openrouter-api-key", "OpenRouter API key", high, 7, openrouter.NewDetector(), "sk-or-v"),
		fromVeles("packagist-api-secret", "Packagist API secret", high, 0, packagist.NewAPISecretDetector(), "packagist_acs_"),
		fromVeles("packagist-read-token", "Packagist organization read token", high, 14, packagist.NewOrgReadTokenDetector(), "packagist_ort_"),
		fromVeles("packagist-update-token", "Packagist organization update token", high, 14, packagist.NewOrgUpdateTokenDetector(), "packagist_out_"),
		fromVeles("packagist-user-token", "Packagist user update token", high, 14, packagist.NewUserUpdateTokenDetector(), "packagist_uut_"),
		fromVeles("packagist-conductor-token", "Packagist conductor update token", high, 14, packagist.NewConductorUpdateTokenDetector(), "packagist_cut_"),
		fromVeles("paystack-secret-key", "Paystack secret key", critical, 8, paystacksecretkey.NewSecretKeyDetector(), "sk_live_", "sk_test_"),
		fromVeles("perplexity-api-key", "Perplexity API key", high, 5, perplexityapikey.NewDetector(), "pplx-"),
		fromVeles("postman-api-key", "Postman API key", high, 5, postmanapikey.NewAPIKeyDetector(), "PMAK-"),
		fromVeles("postman-collection-key", "Postman collection access key", medium, 5, postmanapikey.NewCollectionTokenDetector(), "PMAT-"),
		fromVeles("pypi-token", "PyPI upload token", critical, 5, pypiapitoken.NewDetector(), "pypi-AgE"),
		fromVeles("pyx-key", "pyx key", high, 7, pyxkeyv1.NewDetector(), "sk-pyx-"),
		fromVeles("pyx-key-2", "pyx key (second form)", high, 8, pyxkeyv2.NewDetector(), "sk-pyx-2"),
		folded(fromVeles("recaptcha-secret", "reCAPTCHA secret key", medium, 0, recaptchakey.NewDetector(), "captcha")),
		fromVeles("rubygems-api-key", "RubyGems API key", critical, 9, rubygemsapikey.NewDetector(), "rubygems_"),
		folded(near(fromVeles("salesforce-access-token", "Salesforce access token", high, 3, salesforceoauth2access.NewDetector(), "salesforce", "sforce", "sfdx", "accesstoken", "access_token", "instanceurl", "instance_url"))),
		fromVeles("salesforce-client-secret", "Salesforce client secret", high, 0, salesforceoauth2client.NewDetector(), "3MVG"),
		fromVeles("salesforce-refresh-token", "Salesforce refresh token", high, 0, salesforceoauth2refresh.NewDetector(), "3MVG"),
		folded(near(fromVeles("sendgrid-api-key", "SendGrid API key", high, 3, sendgrid.NewDetector(), "sendgrid", "send_grid", "smtp", "mail"))),
		fromVeles("slack-app-token", "Slack app-level token", high, 5, slacktoken.NewAppLevelTokenDetector(), "xapp-"),
		fromVeles("slack-config-token", "Slack app configuration token", high, 10, slacktoken.NewAppConfigAccessTokenDetector(), "xoxe.xoxp-"),
		fromVeles("slack-refresh-token", "Slack app configuration refresh token", high, 5, slacktoken.NewAppConfigRefreshTokenDetector(), "xoxe-"),
		apart(fromVeles("square-access-token", "Square access token", critical, 4, squareapikey.NewPersonalAccessTokenDetector(), "EAAA")),
		fromVeles("square-oauth-secret", "Square OAuth application secret", high, 7, squareapikey.NewOAuthApplicationSecretDetector(), "sq0csp-"),
		fromVeles("stripe-secret-key", "Stripe secret key", critical, 8, stripeapikeys.NewSecretKeyDetector(), "sk_live_"),
		fromVeles("stripe-restricted-key", "Stripe restricted key", high, 8, stripeapikeys.NewRestrictedKeyDetector(), "rk_live_"),
		fromVeles("stripe-webhook-secret", "Stripe webhook signing secret", medium, 6, stripeapikeys.NewWebhookSecretDetector(), "whsec_"),
		folded(near(fromVeles("supabase-access-token", "Supabase personal access token", critical, 4, supabase.NewPATDetector(), "supabase"))),
		fromVeles("supabase-secret-key", "Supabase project secret key", critical, 10, supabase.NewProjectSecretKeyDetector(), "sb_secret_"),
		folded(fromVeles("telegram-bot-token", "Telegram bot token", high, 0, telegrambotapitoken.NewDetector(), "telegram", "tgram")),
		fromVeles("tink-keyset", "Tink keyset in clear", critical, 0, tinkkeyset.NewDetector(), "type.googleapis.com/google.crypto.tink", "primaryKeyId", "dHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUuY3J5cHRvLnRpbm", "R5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLmNyeXB0by50aW5r", "0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5jcnlwdG8udGlua"),
		folded(fromVeles("vapid-private-key", "VAPID private key", medium, 0, vapid.NewDetector(), "vapid")),
	}
}

func folded(r *rule) *rule {
	r.fold = true
	return r
}

// near widens a rule whose words do not begin its secrets but stand somewhere near them: the
// secrets' own beginnings are too short for the filter.
func near(r *rule) *rule {
	r.before, r.after = r.before+400, r.after+400
	return r
}

// apart leaves out what is only a part of a longer run of base64.
func apart(r *rule) *rule {
	find := r.find
	r.find = func(window []byte) []match {
		return slices.DeleteFunc(find(window), func(m match) bool {
			return m.start > 0 && isBase64(window[m.start-1]) && window[m.start-1] != '=' || m.end < len(window) && isBase64(window[m.end])
		})
	}
	return r
}

// fromVeles makes a rule of a detector.
func fromVeles(id, title, severity string, shown int, d veles.Detector, words ...string) *rule {
	length := min(int(d.MaxSecretLen()), reach)
	return &rule{
		id: id, title: title, severity: severity, words: words, random: true, shown: shown, before: length, after: length + 64,
		find: func(window []byte) []match {
			found, at := d.Detect(window)
			var matches []match
			for i, secret := range found {
				if m, ok := locate(window, at[i], secret); ok && !sample(string(window[m.start:m.end])) {
					m.shown = shown
					matches = append(matches, m)
				}
			}
			return matches
		},
	}
}

// secretFields are the fields of veles' types that hold what must not be seen, most telling first.
var secretFields = []string{"Secret", "ClientSecret", "SecretID", "Password", "RefreshToken", "PrivateKey", "Token", "Pat", "Key", "Value", "PrivateB64", "Content"}

// locate says where in the window the value of a found secret stands. One that was found in
// an encoded form stands where the encoded run does.
func locate(window []byte, at int, secret veles.Secret) (match, bool) {
	if at < 0 || at >= len(window) {
		return match{}, false
	}
	value := fieldOf(secret)
	if value != "" {
		if i := bytes.Index(window[at:], []byte(value)); i >= 0 {
			return match{start: at + i, end: at + i + len(value), lead: i}, true
		}
	}
	end := at
	for end < len(window) && isBase64(window[end]) {
		end++
	}
	if end == at {
		end = min(at+1024, len(window))
	}
	return match{start: at, end: end}, true
}

func fieldOf(secret veles.Secret) string {
	v := reflect.ValueOf(secret)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return ""
	}
	for _, name := range secretFields {
		f := v.FieldByName(name)
		if !f.IsValid() {
			continue
		}
		switch {
		case f.Kind() == reflect.String && f.Len() > 0:
			return f.String()
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Uint8 && f.Len() > 0:
			return string(f.Bytes())
		}
	}
	return ""
}

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '=' || c == '-' || c == '_'
}
