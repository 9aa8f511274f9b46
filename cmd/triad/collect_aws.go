package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/triad-security/triad"
	"github.com/triad-security/triad/cloud/aws"
)

func newCollectAWSCommand(a *app) *cobra.Command {
	var from, regions []string
	var o aws.Options
	cmd := &cobra.Command{
		Use:   "aws",
		Short: "Read regions of an AWS account, live or from the AWS CLI's output",
		Long: `Reads one or more regions of the AWS account that the credentials belong to, through the
usual credential chain. The managed policy SecurityAudit allows all of its calls; one that is
denied, throttled or not answered leaves its section unread, and says so.

With --from DIR it reads saved output of the AWS CLI instead, files named
<service>-<operation>.json. docs/collect-aws.md lists them.`,
		Args: cobra.NoArgs,
		Example: `  triad collect aws --region us-east-1 --region eu-central-1
  triad collect aws --profile audit --record dump
  aws ec2 describe-instances --output json > dump/ec2-describe-instances.json   (and so on)
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
			if len(from) > 0 {
				return a.keepCollected(cmd.Context(), reports...)
			}
			if len(regions) == 0 {
				regions = []string{""} // the configured one
			}
			o.Progress = func(call string, err error) {
				if err == nil {
					a.say("read %s", call)
				}
			}
			for _, o.Region = range regions {
				report, err := aws.Collect(cmd.Context(), o)
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
	f.StringArrayVar(&regions, "region", nil, "region to read (repeatable); default the configured one")
	f.StringVar(&o.Profile, "profile", "", "profile of the shared AWS configuration")
	f.StringVar(&o.Endpoint, "endpoint-url", "", "address to use for every AWS service, for a proxy or a test server")
	f.StringVar(&o.Record, "record", "", "folder to write what was read to, as DIR/ACCOUNT/REGION, for --from")
	f.DurationVar(&o.Timeout, "call-timeout", 90*time.Second, "limit for one API call with its pages and retries")
	f.IntVar(&o.Attempts, "attempts", 4, "tries of one request that is throttled or fails")
	cmd.MarkFlagsMutuallyExclusive("from", "region")
	cmd.MarkFlagsMutuallyExclusive("from", "profile")
	cmd.MarkFlagsMutuallyExclusive("from", "endpoint-url")
	cmd.MarkFlagsMutuallyExclusive("from", "record")
	return cmd
}
