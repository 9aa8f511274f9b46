package aws

import "github.com/triad-security/triad"

// derive adds names, aliases, typed properties, relations and findings.
func (a *assembly) derive(r *triad.Report) {
	for _, x := range a.order {
		switch x.Kind {
		case "Instance":
			x.Aliases = append(x.Aliases, "aws-instance:"+x.ID,
				"arn:"+a.scope.partition()+":ec2:"+a.scope.region+":"+a.scope.account+":instance/"+x.ID)
		case "Function":
			x.Name = a.scope.account + "/" + a.scope.region + "/" + x.Name
		}
		if x.Name == "" {
			x.Name = x.ID
		}
	}
}
