// What the real API server says of CustomResourceDefinitions, objects of their kinds and CEL expressions: its own validation, from its Go modules,
// without etcd and without a network. Reads one question a line as JSON and answers each with a line; tests/oracle/crd compares the answers with ours.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"sort"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemacel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresourcedefinition"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/library"
	genericrequest "k8s.io/apiserver/pkg/endpoints/request"
)

type question struct {
	CRD     json.RawMessage `json:"crd,omitempty"`
	Old     json.RawMessage `json:"old,omitempty"`
	Objects []struct {
		Object json.RawMessage `json:"object"`
		Old    json.RawMessage `json:"old,omitempty"`
	} `json:"objects,omitempty"`
	Expression string `json:"expression,omitempty"`
}

type problem struct {
	Type    string `json:"type"`
	Field   string `json:"field"`
	Message string `json:"message"`
}

type objectAnswer struct {
	Problems []problem      `json:"problems"`
	Stored   map[string]any `json:"stored"`
}

type answer struct {
	Failed string `json:"failed,omitempty"`
	// Problems of the CRD.
	Problems []problem      `json:"problems"`
	Objects  []objectAnswer `json:"objects,omitempty"`
	// Costs estimates of the rules of the storage version, in the order of their places.
	Costs map[string]uint64 `json:"costs,omitempty"`
	// Of an expression.
	Issues string  `json:"issues,omitempty"`
	Value  string  `json:"value,omitempty"`
	Error  string  `json:"error,omitempty"`
	Output string  `json:"output,omitempty"`
	Cost   *uint64 `json:"cost,omitempty"`
	Max    *uint64 `json:"max,omitempty"`
}

var scheme = runtime.NewScheme()

func main() {
	install.Install(scheme)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 64<<20)
	out := bufio.NewWriter(os.Stdout)
	for in.Scan() {
		var asked question
		if err := utiljson.Unmarshal(in.Bytes(), &asked); err != nil {
			log.Fatal(err)
		}
		line, err := json.Marshal(answered(asked))
		if err != nil {
			log.Fatal(err)
		}
		out.Write(append(line, '\n'))
		out.Flush()
	}
}

func answered(asked question) (told answer) {
	defer func() {
		if failure := recover(); failure != nil {
			told = answer{Failed: fmt.Sprint(failure)}
		}
	}()
	if asked.Expression != "" {
		return evaluated(asked.Expression)
	}
	crd, err := decoded(asked.CRD)
	if err != nil {
		return answer{Failed: err.Error()}
	}
	ctx := genericrequest.WithNamespace(context.Background(), "")
	strategy := customresourcedefinition.NewStrategy(scheme)
	if len(asked.Old) > 0 {
		old, err := decoded(asked.Old)
		if err != nil {
			return answer{Failed: err.Error()}
		}
		crd.ResourceVersion, old.ResourceVersion = "1", "1"
		strategy.PrepareForUpdate(ctx, crd, old)
		told.Problems = problemsOf(strategy.ValidateUpdate(ctx, crd, old))
	} else {
		strategy.PrepareForCreate(ctx, crd)
		told.Problems = problemsOf(strategy.Validate(ctx, crd))
	}
	if len(told.Problems) > 0 {
		return told
	}
	told.Costs = costsOf(crd)
	for _, one := range asked.Objects {
		told.Objects = append(told.Objects, objectAnswered(crd, one.Object, one.Old))
	}
	return told
}

func decoded(raw json.RawMessage) (*apiextensions.CustomResourceDefinition, error) {
	var versioned apiextensionsv1.CustomResourceDefinition
	if err := utiljson.Unmarshal(raw, &versioned); err != nil {
		return nil, err
	}
	scheme.Default(&versioned)
	var internal apiextensions.CustomResourceDefinition
	return &internal, scheme.Convert(&versioned, &internal, nil)
}

func problemsOf(errs field.ErrorList) []problem {
	found := []problem{}
	for _, err := range errs {
		found = append(found, problem{string(err.Type), err.Field, err.ErrorBody()})
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].Field < found[j].Field })
	return found
}

func storageSchema(crd *apiextensions.CustomResourceDefinition) (string, *apiextensions.CustomResourceValidation, *apiextensions.CustomResourceSubresources) {
	for _, version := range crd.Spec.Versions {
		if version.Storage {
			schema, _ := apiextensions.GetSchemaForVersion(crd, version.Name)
			sub, _ := apiextensions.GetSubresourcesForVersion(crd, version.Name)
			return version.Name, schema, sub
		}
	}
	panic("no storage version")
}

func objectAnswered(crd *apiextensions.CustomResourceDefinition, raw, oldRaw json.RawMessage) objectAnswer {
	version, props, sub := storageSchema(crd)
	structural, err := schema.NewStructural(props.OpenAPIV3Schema)
	if err != nil {
		panic(err)
	}
	validator, _, err := validation.NewSchemaValidator(props.OpenAPIV3Schema)
	if err != nil {
		panic(err)
	}
	kind := runtimeschema.GroupVersionKind{Group: crd.Spec.Group, Version: version, Kind: crd.Spec.Names.Kind}
	var status *apiextensions.CustomResourceSubresourceStatus
	var scale *apiextensions.CustomResourceSubresourceScale
	if sub != nil {
		status, scale = sub.Status, sub.Scale
	}
	strategy := customresource.NewStrategy(scheme, crd.Spec.Scope == apiextensions.NamespaceScoped, kind, validator, nil, structural, status, scale, nil)
	prepare := func(raw json.RawMessage) *unstructured.Unstructured {
		object := &unstructured.Unstructured{}
		if err := utiljson.Unmarshal(raw, &object.Object); err != nil {
			panic(err)
		}
		pruning.Prune(object.Object, structural, true)
		defaulting.PruneNonNullableNullsWithoutDefaults(object.Object, structural)
		defaulting.Default(object.Object, structural)
		return object
	}
	ctx := genericrequest.WithNamespace(context.Background(), metav1.NamespaceDefault)
	object := prepare(raw)
	var errs field.ErrorList
	if len(oldRaw) > 0 {
		old := prepare(oldRaw)
		object.SetResourceVersion("1")
		old.SetResourceVersion("1")
		errs = strategy.ValidateUpdate(ctx, object, old)
	} else {
		errs = strategy.Validate(ctx, object)
	}
	return objectAnswer{problemsOf(errs), object.Object}
}

func costsOf(crd *apiextensions.CustomResourceDefinition) map[string]uint64 {
	_, props, _ := storageSchema(crd)
	structural, err := schema.NewStructural(props.OpenAPIV3Schema)
	if err != nil {
		panic(err)
	}
	costs := map[string]uint64{}
	walk(structural, model.SchemaDeclType(structural, true), "", costs)
	return costs
}

func walk(node *schema.Structural, path0 any, path string, costs map[string]uint64) {
	isRoot := path == ""
	declared := model.SchemaDeclType(node, isRoot || node.XEmbeddedResource)
	if declared != nil {
		results, err := schemacel.Compile(node, declared, celconfig.PerCallLimit, environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()), schemacel.NewExpressionsEnvLoader())
		if err != nil {
			panic(err)
		}
		for i, result := range results {
			costs[fmt.Sprintf("%s#%d", path, i)] = result.MaxCost
		}
	}
	for name, below := range node.Properties {
		walk(&below, nil, path+"."+name, costs)
	}
	if node.Items != nil {
		walk(node.Items, nil, path+"[]", costs)
	}
	if node.AdditionalProperties != nil && node.AdditionalProperties.Structural != nil {
		walk(node.AdditionalProperties.Structural, nil, path+"{}", costs)
	}
}

func evaluated(expression string) answer {
	env := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()).NewExpressionsEnv()
	ast, issues := env.Compile(expression)
	if issues != nil && issues.Err() != nil {
		return answer{Issues: issues.String()}
	}
	estimator := &library.CostEstimator{SizeEstimator: nil}
	estimate, err := env.EstimateCost(ast, estimator)
	if err != nil {
		return answer{Failed: err.Error()}
	}
	told := answer{Output: ast.OutputType().String(), Max: &estimate.Max}
	program, err := env.Program(ast, cel.CostTracking(estimator), cel.CostLimit(celconfig.PerCallLimit))
	if err != nil {
		told.Error = err.Error()
		return told
	}
	value, details, err := program.Eval(map[string]any{})
	if details != nil {
		told.Cost = details.ActualCost()
	}
	if err != nil {
		told.Error = err.Error()
		return told
	}
	text, err := ext.FormatString(value, "en_US")
	if err != nil {
		text = fmt.Sprint(value.Value())
	}
	told.Value = strings.TrimSpace(text)
	return told
}
