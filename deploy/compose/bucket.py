"""Create the bucket that the deployment keeps its artifacts in, unless it exists."""

import os
import sys

import boto3

s3 = boto3.Session().client("s3", endpoint_url=os.environ["ASSAY_S3_ENDPOINT_URL"])
[bucket] = sys.argv[1:]
if bucket not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
    s3.create_bucket(Bucket=bucket)
