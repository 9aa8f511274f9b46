package identity

// The ways into the data stores of AWS. Actions and their resource types are those of the
// Service Authorization Reference,
// https://docs.aws.amazon.com/service-authorization/latest/reference/.

// BucketWays are the ways into an S3 bucket. Listing its keys alone moves no data.
func BucketWays(bucketARN string) []Way {
	object := bucketARN + "/*"
	return []Way{
		{Action: "s3:GetObject", Resource: object, Read: true},
		{Action: "s3:GetObjectVersion", Resource: object, Read: true},
		{Action: "s3:PutObject", Resource: object, Write: true},
		{Action: "s3:DeleteObject", Resource: object, Write: true},
	}
}

// TableWays are the ways into a DynamoDB table.
func TableWays(tableARN string) []Way {
	var out []Way
	for _, a := range []string{"GetItem", "BatchGetItem", "Query", "Scan", "PartiQLSelect"} {
		out = append(out, Way{Action: "dynamodb:" + a, Resource: tableARN, Read: true})
	}
	for _, a := range []string{"Query", "Scan", "PartiQLSelect"} {
		out = append(out, Way{Action: "dynamodb:" + a, Resource: tableARN + "/index/*", Read: true})
	}
	for _, a := range []string{"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"} {
		out = append(out, Way{Action: "dynamodb:" + a, Resource: tableARN, Write: true})
	}
	return out
}

const someSecret = "whether a secret that the identity may read holds this store's password is not known"

// RedshiftWays are the ways into a provisioned Redshift cluster. The Data API needs no network
// path; it takes temporary credentials or a secret. Credentials alone move no data: they need
// a network path, which reachability decides.
func RedshiftWays(partition, region, account, cluster string) []Way {
	prefix := "arn:" + partition + ":redshift:" + region + ":" + account + ":"
	user := prefix + "dbuser:" + cluster + "/*"
	clusterARN := prefix + "cluster:" + cluster
	needs := []Need{
		{Action: "redshift:GetClusterCredentials", Resource: user},
		{Action: "redshift:GetClusterCredentialsWithIAM", Resource: prefix + "dbname:" + cluster + "/*"},
		{Action: "secretsmanager:GetSecretValue", Resource: secrets(partition, region, account), Doubt: someSecret},
	}
	return []Way{
		{Action: "redshift-data:ExecuteStatement", Resource: clusterARN, Read: true, Write: true, Needs: needs},
		{Action: "redshift-data:BatchExecuteStatement", Resource: clusterARN, Read: true, Write: true, Needs: needs},
		{Action: "redshift:GetClusterCredentials", Resource: user},
		{Action: "redshift:GetClusterCredentialsWithIAM", Resource: prefix + "dbname:" + cluster + "/*"},
	}
}

// Database is an RDS instance or Aurora cluster.
type Database struct {
	Partition, Region, Account string
	ARN                        string
	ResourceID                 string // db-… or cluster-…
	IAMAuthentication          bool
	DataAPI                    bool   // the HTTP endpoint is enabled
	SecretARN                  string // of the master user's managed secret
}

// Ways are the ways into the database. Connecting with an IAM token needs a network path, so
// by itself it moves no data.
func (d Database) Ways() []Way {
	var out []Way
	if d.DataAPI {
		need := Need{Action: "secretsmanager:GetSecretValue", Resource: d.SecretARN}
		if d.SecretARN == "" {
			need.Resource, need.Doubt = secrets(d.Partition, d.Region, d.Account), someSecret
		}
		for _, a := range []string{"rds-data:ExecuteStatement", "rds-data:BatchExecuteStatement"} {
			out = append(out, Way{Action: a, Resource: d.ARN, Read: true, Write: true, Needs: []Need{need}})
		}
	}
	if d.IAMAuthentication {
		out = append(out, Way{
			Action:   "rds-db:connect",
			Resource: "arn:" + d.Partition + ":rds-db:" + d.Region + ":" + d.Account + ":dbuser:" + d.ResourceID + "/*",
		})
	}
	return out
}

func secrets(partition, region, account string) string {
	return "arn:" + partition + ":secretsmanager:" + region + ":" + account + ":secret:*"
}
