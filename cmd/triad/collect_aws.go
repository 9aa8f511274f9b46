package main

import (
	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/cloud/aws"
)

func newCollectAWSCommand(a *app) *cobra.Command {
	var from []string
	cmd := &cobra.Command{
		Use:   "aws",
		Short: "Read an AWS account's region, live or from the AWS CLI's output",
		Args:  cobra.NoArgs,
		Example: `  aws ec2 describe-instances --output json > dump/ec2-describe-instances.json   (and so on)
  triad collect aws --from dump`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var reports []*triad.Report
			for _, dir := range from {
				report, err := aws.FromDir(dir)
				if err != nil {
					return err
				}
				reports = append(reports, report)
			}
			return a.keepCollected(cmd.Context(), reports...)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&from, "from", nil, "folder of AWS CLI output, …/ACCOUNT/REGION with files such as ec2-describe-instances.json (repeatable)")
	return cmd
}
