"""Prints what `make` can do."""

TEXT = """\
Does a Kubernetes cluster do what is documented about image volumes?

  make conformance                    run the suite on the built-in reference cluster: shows what it is
  make conformance KUBECONFIG=FILE    run it on the cluster that FILE names
  make list                           every requirement with its checks, the images they mount, and sources
  make test                           the suite's own tests
  make lint                           ruff and mypy
  make images                         write the asset images as OCI layouts to build/images
  make mutants                        run the suite against a reference cluster with one fault at a time
  make clean-cluster KUBECONFIG=FILE  remove whatever killed runs have left in a cluster
  make help                           this text

Variables of `make conformance`, all optional:

  KUBECONFIG   a kubeconfig file; with none of the first three named, the reference cluster is judged
  CONTEXT      a context of the kubeconfig
  CLUSTER      kind, kind:NAME, reference, or reference:FAULT,FAULT (a reference cluster with these faults)
  REGISTRY     where the test registry runs: runner://HOST:PORT (here, at an address that the nodes reach),
               node or node://FIRST-LAST (on the node, on ports of its loopback); found by trying otherwise
  PROBE_IMAGE  an image with Python 3.8 or later as python3 that the nodes can pull
  WORKERS      how many checks run at the same time (4)
  NODES        the name of the node to judge; a run judges one
  NODE_SHELL   a command that runs sh on the node {node} with its own input, such as `docker exec -i {node}`,
               `ssh root@{node}`, or the word pod (a privileged Pod): restarts, removals and static Pods are judged with it; off by default.
               NODE_RESTART_KUBELET, NODE_RESTART_RUNTIME, NODE_REBOOT: how, where it is not by systemctl
  PATIENCE     seconds within which the runtime gives up a pull that stalls
  PROFILE      all, or must: the required requirements only
  REPORT       the folder for reports (report)
  ARGS         further arguments, such as --requirement=SUB-03

Exit codes: 0 conformant, 1 not conformant, 2 interrupted, 3 internal error, 4 usage, 10 inconclusive,
11 refused by the preflight, 12 another run holds the cluster. make turns every failure into 2; the last
line of the output tells the code."""

print(TEXT)
