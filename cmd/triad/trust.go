package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/trust"
)

func newTrustCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "Sign, attest, verify and promote images",
		Long: `Makes and checks trusted images. Signatures and attestations are cosign's, in both of its
forms, and stand beside the image in its registry: as sigstore bundles (OCI referrers, or the
referrers tag where the registry has none) and under the tags sha256-….sig and .att. What
binds is the digest: a tag is resolved first, and another image under it is not signed.

Registries are asked with the credentials of "docker login".`,
		Example: `  triad trust keygen release
  triad trust sign registry.example.com/shop/web:1.0 --key release.key
  triad trust verify registry.example.com/shop/web:1.0 --key release.pub
  triad trust promote registry.example.com/build/web:42 registry.example.com/official/web:1.0 --key release.key`,
	}
	cmd.AddCommand(newTrustKeygenCommand(a), newTrustSignCommand(a), newTrustAttestCommand(a), newTrustVerifyCommand(a), newTrustPromoteCommand(a))
	return cmd
}

// signFlags are how something is signed, and where the registry is.
type signFlags struct {
	client    trust.Client
	key       string
	tokenFile string
	services  trust.Services
	form      string
}

func (s *signFlags) flags(f *pflag.FlagSet) {
	f.BoolVar(&s.client.Insecure, "insecure", false, "speak plain HTTP to the registry")
	f.StringVar(&s.key, "key", "", "private key in PEM: PKCS #8, or encrypted by cosign or trust keygen with the password in TRIAD_KEY_PASSWORD or COSIGN_PASSWORD")
	f.StringVar(&s.services.FulcioURL, "fulcio", "", "sign without a key: URL of the Fulcio that certifies the bearer of --identity-token")
	f.StringVar(&s.tokenFile, "identity-token", "", "file with an OpenID Connect token, for --fulcio; also SIGSTORE_ID_TOKEN")
	f.StringVar(&s.services.RekorURL, "rekor", "", "URL of the transparency log to enter signatures in")
	f.StringVar(&s.services.TimestampURL, "timestamp-authority", "", "URL of the RFC 3161 authority that witnesses the time")
	f.StringVar(&s.form, "form", "both", "how to keep it beside the image: bundle (OCI referrer), tag, or both")
}

func (s *signFlags) signer() (*trust.Signer, error) {
	if (s.key == "") == (s.services.FulcioURL == "") {
		return nil, triad.Errorf(triad.CodeInvalid, "give --key, or --fulcio with --identity-token to sign without one")
	}
	if s.key == "" {
		token := os.Getenv("SIGSTORE_ID_TOKEN")
		if s.tokenFile != "" {
			data, err := os.ReadFile(s.tokenFile)
			if err != nil {
				return nil, fmt.Errorf("reading the identity token: %w", err)
			}
			token = string(data)
		}
		return trust.NewKeylessSigner(strings.TrimSpace(token), s.services)
	}
	data, err := os.ReadFile(s.key)
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	key, err := trust.ReadKey(data, keyPassword)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.key, err)
	}
	return trust.NewSigner(key, s.services), nil
}

func (s *signFlags) forms() (trust.Forms, error) {
	switch s.form {
	case "bundle":
		return trust.FormBundle, nil
	case "tag":
		return trust.FormTag, nil
	case "both":
		return trust.FormBoth, nil
	}
	return 0, triad.Errorf(triad.CodeInvalid, "--form %s is none of bundle, tag, both", s.form)
}

// keyPassword is the password of an encrypted key: from the environment, else asked for on
// the terminal. It is no flag, which everybody on the machine could read.
func keyPassword() ([]byte, error) {
	if password, ok := environmentPassword(); ok {
		return password, nil
	}
	return askPassword("Password of the key: ")
}

func environmentPassword() ([]byte, bool) {
	for _, name := range []string{"TRIAD_KEY_PASSWORD", "COSIGN_PASSWORD"} {
		if password, ok := os.LookupEnv(name); ok {
			return []byte(password), true
		}
	}
	return nil, false
}

func askPassword(prompt string) ([]byte, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return nil, triad.Errorf(triad.CodeInvalid, "the key needs a password: set TRIAD_KEY_PASSWORD")
	}
	fmt.Fprint(os.Stderr, prompt)
	password, err := term.ReadPassword(fd)
	fmt.Fprintln(os.Stderr)
	return password, err
}

// annotations reads key=value pairs.
func annotations(pairs []string) (map[string]string, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	all := map[string]string{}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, triad.Errorf(triad.CodeInvalid, "--annotation %s is not KEY=VALUE", pair)
		}
		all[key] = value
	}
	return all, nil
}
