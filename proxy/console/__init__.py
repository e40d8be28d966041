"""The pages in the browser: Workspace and Admin. What they show and change goes through `/v1/*`."""
