"""Reports of small results folders that are written by hand."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from ebmbench.errors import UserError
from ebmbench.harness.table import load_table
from ebmbench.report import style, summary, text, traces, write
from ebmbench.report.cases import display_names, tidy
from ebmbench.report.pictures import Model, mosaic, read
from ebmbench.report.results import collect
