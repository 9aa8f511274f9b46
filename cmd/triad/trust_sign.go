package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func newTrustSignCommand(a *app) *cobra.Command {
	s := &signFlags{}
	var recursive bool
	var pairs []string
	cmd := &cobra.Command{
		Use:   "sign REFERENCE…",
		Short: "Sign images in their registry",
		Long: `Signs the digest that each reference means now. An image for several platforms is signed as
what it is, the index; --recursive also signs the image of each platform, for those who pull
or verify one by its own digest.`,
		Example: `  triad trust sign registry.example.com/shop/web:1.0 --key release.key
  triad trust sign registry.example.com/shop/web@sha256:… --fulcio https://fulcio.example.com \
    --rekor https://rekor.example.com --identity-token token.jwt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			forms, err := s.forms()
			if err != nil {
				return err
			}
			notes, err := annotations(pairs)
			if err != nil {
				return err
			}
			signer, err := s.signer()
			if err != nil {
				return err
			}
			var signed []signedImage
			for _, reference := range args {
				image, err := s.client.Resolve(cmd.Context(), reference)
				if err != nil {
					return err
				}
				all, err := s.client.Images(cmd.Context(), image, recursive)
				if err != nil {
					return err
				}
				for _, one := range all {
					if err := s.client.Sign(cmd.Context(), one, signer, forms, anyMap(notes)); err != nil {
						return err
					}
					a.say("signed %s", one.Name())
					signed = append(signed, signedImage{reference, one.DigestStr()})
				}
			}
			return a.signed(signed)
		},
	}
	s.flags(cmd.Flags())
	cmd.Flags().BoolVarP(&recursive, "recursive", "r", false, "also sign the image of each platform")
	cmd.Flags().StringArrayVarP(&pairs, "annotation", "a", nil, "KEY=VALUE to sign with it (repeatable)")
	return cmd
}

// signedImage is what sign and attest print.
type signedImage struct {
	Reference string `json:"reference"`
	Digest    string `json:"digest"`
}

func (a *app) signed(images []signedImage) error {
	return a.result(images, func(w io.Writer) error {
		for _, i := range images {
			if _, err := fmt.Fprintln(w, i.Digest); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}

func anyMap(m map[string]string) map[string]any {
	if m == nil {
		return nil
	}
	all := make(map[string]any, len(m))
	for k, v := range m {
		all[k] = v
	}
	return all
}
