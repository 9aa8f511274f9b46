package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/build/trust"
)

func newTrustKeygenCommand(a *app) *cobra.Command {
	var algorithm string
	var plain bool
	cmd := &cobra.Command{
		Use:   "keygen NAME",
		Short: "Make a key to sign with: NAME.key and NAME.pub",
		Long: `Makes a key pair in PEM. The private key is encrypted as cosign encrypts its own, with the
password in TRIAD_KEY_PASSWORD or COSIGN_PASSWORD, or asked for on the terminal; cosign signs
with it too. Files that are there are never overwritten.`,
		Example: `  triad trust keygen release
  TRIAD_KEY_PASSWORD=… triad trust keygen release --algorithm ed25519`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var password []byte
			if !plain {
				var err error
				if password, err = newPassword(); err != nil {
					return err
				}
			}
			key, err := trust.GenerateKey(algorithm)
			if err != nil {
				return err
			}
			private, err := key.Encode(password)
			if err != nil {
				return err
			}
			public := key.Public()
			files := struct {
				Private string `json:"private"`
				Public  string `json:"public"`
				ID      string `json:"id"`
			}{args[0] + ".key", args[0] + ".pub", public.ID()}
			if err := create(files.Private, private, 0o600); err != nil {
				return err
			}
			if err := create(files.Public, public.Encode(), 0o644); err != nil {
				return err
			}
			a.say("keep %s secret; give %s to those who verify", files.Private, files.Public)
			return a.result(files, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s\n%s\n", files.Private, files.Public)
				return err
			}, nil)
		},
	}
	cmd.Flags().StringVar(&algorithm, "algorithm", trust.AlgorithmECDSA, "ecdsa-p256, ed25519 or rsa-3072")
	cmd.Flags().BoolVar(&plain, "no-password", false, "do not encrypt the private key: for a store of secrets that does")
	return cmd
}

// newPassword is a password for a new key.
func newPassword() ([]byte, error) {
	password, ok := environmentPassword()
	if !ok {
		var again []byte
		var err error
		if password, err = askPassword("Password for the key: "); err == nil {
			again, err = askPassword("Again: ")
		}
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(password, again) {
			return nil, triad.Errorf(triad.CodeInvalid, "the passwords differ")
		}
	}
	if len(password) == 0 {
		return nil, triad.Errorf(triad.CodeInvalid, "the password is empty; --no-password leaves the key unencrypted")
	}
	return password, nil
}

// create writes a file that is not there yet.
func create(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("writing the key: %w", err)
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
