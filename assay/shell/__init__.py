"""The commands of `assay`: the domain from a shell, without an orchestrator.

Belongs here: flags, exit codes, what is printed where, and the ports to storage and tracking.
Does not belong here: any rule about data or models; the network, which comes through the ports.
"""
