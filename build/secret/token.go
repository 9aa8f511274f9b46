package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
)

// tokenRules are tokens of known form that veles has no detector for. The forms are those
// that the issuers document.
func tokenRules() []*rule {
	token := func(id, title, severity string, shown int, form string, words ...string) *rule {
		re := regexp.MustCompile(`(?:^|[^A-Za-z0-9_])(` + form + `)(?:$|[^A-Za-z0-9_])`)
		return &rule{
			id: id, title: title, severity: severity, words: words, random: true, shown: shown, before: 8, after: 640,
			find: func(window []byte) []match { return submatches(re, window, shown) },
		}
	}
	return []*rule{
		token("github-token-form", "Looks like a GitHub token, but its checksum is wrong", low, 4, `gh[pousr]_[A-Za-z0-9]{36}`, "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
		token("aws-access-key-id", "AWS access key ID", medium, 8, `(?:AKIA|ASIA)[A-Z2-7]{16}`, "AKIA", "ASIA"),
		token("slack-token", "Slack bot or user token", critical, 5, `xox[abposr]-[0-9A-Za-z-]{20,250}`, "xoxa-", "xoxb-", "xoxo-", "xoxp-", "xoxr-", "xoxs-"),
		token("slack-webhook", "Slack incoming webhook", medium, 0, `hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9]{8,14}/[A-Za-z0-9]{8,20}/[A-Za-z0-9]{16,50}`, "hooks.slack.com/"),
		token("discord-webhook", "Discord webhook", medium, 0, `discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,80}`, "/api/webhooks/"),
		token("gitlab-token", "GitLab token", critical, 0, `gl(?:dt|rt|cbt|ptt|ft|soat|agent|imt|oas|ffct)-[0-9A-Za-z_-]{20,60}`, "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glagent-", "glimt-", "gloas-", "glffct-"),
		folded(near(token("twilio-api-key", "Twilio API key", high, 2, `SK[0-9a-f]{32}`, "twilio"))),
		folded(near(token("mailgun-key", "Mailgun private key", high, 4, `key-[0-9a-f]{32}`, "mailgun"))),
		token("shopify-token", "Shopify access token", high, 6, `shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}`, "shpat_", "shpca_", "shppa_", "shpss_"),
		token("age-secret-key", "age identity", critical, 15, `AGE-SECRET-KEY-1[0-9A-Z]{58}`, "AGE-SECRET-KEY-1"),
		folded(near(token("databricks-token", "Databricks personal access token", high, 4, `dapi[0-9a-f]{32}(?:-[0-9])?`, "databricks"))),
		token("grafana-token", "Grafana token", high, 5, `glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|glc_ey[A-Za-z0-9+/]{32,400}={0,3}`, "glsa_", "glc_ey"),
		token("sentry-token", "Sentry authentication token", high, 7, `sntry[su]_[A-Za-z0-9_+/=]{40,400}`, "sntrys_", "sntryu_"),
		token("atlassian-token", "Atlassian API token", high, 7, `ATATT3[A-Za-z0-9_=-]{180,200}`, "ATATT3"),
		token("bitbucket-app-password", "Bitbucket app password", high, 4, `ATBB[A-Za-z0-9]{28,40}`, "ATBB"),
		folded(near(token("pulumi-token", "Pulumi access token", high, 4, `pul-[0-9a-f]{40}`, "pulumi"))),
		token("terraform-cloud-token", "HCP Terraform token", high, 0, `[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}`, ".atlasv1."),
		token("doppler-token", "Doppler token", high, 7, `dp\.(?:pt|st|ct|scim|audit|sa)\.[A-Za-z0-9._-]{40,80}`, "dp.pt.", "dp.st.", "dp.ct.", "dp.scim.", "dp.audit.", "dp.sa."),
		token("linear-api-key", "Linear API key", high, 8, `lin_api_[A-Za-z0-9]{40}`, "lin_api_"),
		folded(near(token("netlify-token", "Netlify access token", high, 4, `nfp_[A-Za-z0-9]{36}`, "netlify"))),
		token("fly-token", "Fly.io access token", high, 3, `fm[12][ar]?_[A-Za-z0-9+/=,_-]{100,600}`, "fm1r_", "fm1a_", "fm2_lJP"),
		token("planetscale-token", "PlanetScale token or password", high, 7, `pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,64}`, "pscale_"),
		folded(near(token("replicate-token", "Replicate API token", high, 3, `r8_[A-Za-z0-9]{37}`, "replicate"))),
		token("groq-api-key", "Groq API key", high, 4, `gsk_[A-Za-z0-9]{52}`, "gsk_"),
		token("brevo-api-key", "Brevo API key", high, 8, `xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}`, "xkeysib-"),
		folded(near(token("nuget-api-key", "NuGet API key", high, 3, `oy2[a-z0-9]{43}`, "nuget"))),
		token("artifactory-api-key", "Artifactory API key", high, 4, `AKCp[0-9A-Za-z]{69}`, "AKCp"),
		token("newrelic-key", "New Relic user key", high, 5, `NRAK-[A-Z0-9]{27}`, "NRAK-"),
		folded(near(token("notion-token", "Notion integration token", high, 4, `ntn_[0-9]{11}[A-Za-z0-9]{35}`, "notion"))),
		token("tailscale-key", "Tailscale key", high, 6, `tskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9]+-[A-Za-z0-9]{20,40}`, "tskey-"),
		folded(near(token("vercel-token", "Vercel access token", high, 4, `vc[kpatr]_[A-Za-z0-9]{56}`, "vercel"))),
		folded(near(token("azure-client-secret", "Microsoft Entra client secret", high, 0, `[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}`, "client_secret", "client-secret", "clientsecret", "azure", "tenant"))),
		token("azure-connection-key", "Azure connection string key", critical, 0, `(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{43,86}={1,2}`, "AccountKey=", "SharedAccessKey="),
	}
}

// submatches returns the first group of every match. Two secrets may share the character
// between them, so each search begins at the end of the last secret.
func submatches(re *regexp.Regexp, window []byte, shown int) []match {
	var matches []match
	for from := 0; from < len(window); {
		m := re.FindSubmatchIndex(window[from:])
		if m == nil {
			break
		}
		if !sample(string(window[from+m[2] : from+m[3]])) {
			matches = append(matches, match{start: from + m[2], end: from + m[3], shown: shown})
		}
		from += m[3]
	}
	return matches
}

// sample says whether a value of a token's form was typed, not drawn: EXAMPLE as in AWS's
// manual, or the same few characters over and over.
func sample(value string) bool {
	lower := strings.ToLower(value)
	for _, word := range []string{"example", "xxxxx", "abcdef", "123456789", "placeholder", "your_", "your-", "redacted"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return len(value) >= 16 && entropy(value) < 2.5
}

// registryAuth says whether a value is what Docker keeps for a registry: base64 of user:password.
func registryAuth(value []byte) bool {
	decoded, err := base64.StdEncoding.DecodeString(string(value))
	if err != nil {
		return false
	}
	user, password, found := bytes.Cut(decoded, []byte(":"))
	return found && len(user) > 0 && len(password) > 0 && printable(decoded) && !json.Valid(decoded)
}
