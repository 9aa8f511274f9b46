package trust_test

import (
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/triad-security/triad/build/registry/registrytest"
	"github.com/triad-security/triad/build/trust"
	"github.com/triad-security/triad/build/trust/cosigntest"
	"github.com/triad-security/triad/build/trust/trusttest"
)

const (
	ana    = "ana@example.com"
	issuer = "https://issuer.example.com"
)

func services(a *trusttest.Authority) trust.Services {
	return trust.Services{FulcioURL: a.URL, RekorURL: a.URL}
}

func signKeyless(t testing.TB, a *trusttest.Authority, image name.Digest, s trust.Services, forms trust.Forms) {
	t.Helper()
	signer, err := trust.NewKeylessSigner(trusttest.Token(ana, issuer), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&trust.Client{}).Sign(t.Context(), image, signer, forms, nil); err != nil {
		t.Fatal(err)
	}
}

func byIdentity(a *trusttest.Authority, id trust.Identity) *trust.Policy {
	return &trust.Policy{Identities: []trust.Identity{id}, Root: must(trust.ReadTrustRoot(a.TrustRoot))}
}

var forms = map[string]trust.Forms{"bundle": trust.FormBundle, "tag": trust.FormTag}

func TestAnIdentityIsTrustedByItsNameAndIssuer(t *testing.T) {
	a, stranger := trusttest.Start(t), trusttest.Start(t)
	address := registrytest.Start(t)
	for form, f := range forms {
		t.Run(form, func(t *testing.T) {
			image := push(t, address+"/shop/"+form+":1.0")
			signKeyless(t, a, image, services(a), f)
			reference := image.Name()
			v := trusted(t, reference, byIdentity(a, trust.Identity{Subject: ana, Issuer: issuer}))
			if s := v.Signatures[0]; s.Identity != ana || s.Issuer != issuer || time.Since(s.SignedAt) > time.Minute {
				t.Errorf("signature %+v", s)
			}
			trusted(t, reference, byIdentity(a, trust.Identity{SubjectRegexp: `.*@example\.com`, IssuerRegexp: `https://issuer\..*`}))
			for reason, id := range map[string]trust.Identity{
				"made by another identity":                {Subject: "bob@example.com", Issuer: issuer},
				"by the word of another issuer":           {Subject: ana, Issuer: "https://evil.example.com"},
				"made by another identity (failed":        {SubjectRegexp: `ana@example`, Issuer: issuer}, // the whole of it, not a part
				"by the word of another issuer (failed t": {Subject: ana, IssuerRegexp: `issuer`},
			} {
				refused(t, reference, byIdentity(a, id), reason)
			}
			refused(t, reference, byIdentity(stranger, trust.Identity{Subject: ana, Issuer: issuer}), "no transparency log that the trust root names")
			refused(t, reference, byKey(newKey(t, trust.AlgorithmECDSA)), "made with a certificate; the policy names keys only")
		})
	}
}

func TestACertificateCountsInItsLifeOnly(t *testing.T) {
	address := registrytest.Start(t)
	for form, f := range forms {
		t.Run(form, func(t *testing.T) {
			a := trusttest.Start(t)
			policy := byIdentity(a, trust.Identity{Subject: ana, Issuer: issuer})
			image := push(t, address+"/late/"+form+":1.0")
			a.CertificateFrom = func() time.Time { return time.Now().Add(-time.Hour) } // expired fifty minutes ago
			signKeyless(t, a, image, services(a), f)
			refused(t, image.Name(), policy, "logged outside the life of its certificate")

			image = push(t, address+"/early/"+form+":1.0")
			a.CertificateFrom = func() time.Time { return time.Now().Add(time.Hour) }
			signKeyless(t, a, image, services(a), f)
			refused(t, image.Name(), policy, "logged outside the life of its certificate")
		})
	}
}

func TestALogEntryOrTimestampIsNeededUnlessThePolicySaysOtherwise(t *testing.T) {
	a := trusttest.Start(t)
	address := registrytest.Start(t)
	for form, f := range forms {
		t.Run(form, func(t *testing.T) {
			id := trust.Identity{Subject: ana, Issuer: issuer}
			stamped := push(t, address+"/stamped/"+form+":1.0")
			signKeyless(t, a, stamped, trust.Services{FulcioURL: a.URL, TimestampURL: a.URL + "/api/v1/timestamp"}, f)
			refused(t, stamped.Name(), byIdentity(a, id), "in no transparency log")
			policy := byIdentity(a, id)
			policy.IgnoreLog = true
			trusted(t, stamped.Name(), policy)

			logged := push(t, address+"/logged/"+form+":1.0")
			signKeyless(t, a, logged, services(a), f)
			refused(t, logged.Name(), policy, "nobody whom the trust root names witnessed when it was made")

			// With a key, a log entry is only asked for where the policy wants one.
			key := newKey(t, trust.AlgorithmECDSA)
			want := byKey(key)
			want.Root, want.RequireLog = must(trust.ReadTrustRoot(a.TrustRoot)), true
			image := push(t, address+"/key/"+form+":1.0")
			sign(t, image, key, f)
			refused(t, image.Name(), want, "in no transparency log")
			if err := (&trust.Client{}).Sign(t.Context(), image, trust.NewSigner(key, services(a)), f, nil); err != nil {
				t.Fatal(err)
			}
			trusted(t, image.Name(), want)
		})
	}
}

func TestCosignAndTriadAcceptEachOthersKeylessSignatures(t *testing.T) {
	cosign := cosigntest.New(t)
	a := trusttest.Start(t)
	address := registrytest.Start(t)
	root := cosign.File("trusted_root.json", a.TrustRoot)
	token := cosign.File("token", []byte(trusttest.Token(ana, issuer)))
	for form, f := range forms {
		t.Run(form, func(t *testing.T) {
			image := push(t, address+"/triad/"+form+":1.0")
			signKeyless(t, a, image, services(a), f)
			cosign.Must("verify", "--trusted-root", root, "--certificate-identity", ana, "--certificate-oidc-issuer", issuer, "--insecure-ignore-sct", image.Name())
			if _, err := cosign.Run("verify", "--trusted-root", root, "--certificate-identity", "bob@example.com", "--certificate-oidc-issuer", issuer, "--insecure-ignore-sct", image.Name()); err == nil {
				t.Error("cosign accepts another identity")
			}

			image = push(t, address+"/cosign/"+form+":1.0")
			flag := "--new-bundle-format=" + map[bool]string{true: "true", false: "false"}[form == "bundle"]
			cosign.Must("sign", flag, "--use-signing-config=false", "--fulcio-url", a.URL, "--rekor-url", a.URL, "--identity-token", token, "--trusted-root", root, "--insecure-skip-verify", image.Name())
			trusted(t, image.Name(), byIdentity(a, trust.Identity{Subject: ana, Issuer: issuer}))
		})
	}
}
