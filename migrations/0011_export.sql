-- Who may take a copy of everything that is held about a user (auth.admin.export-user). A service may have had a permission of this name.
INSERT INTO role_permissions (role_id, permission) SELECT id, 'users.export' FROM roles WHERE name = 'admin' ON CONFLICT DO NOTHING;
