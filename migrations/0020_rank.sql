-- Giving or taking a role takes `role.<name>` as well as what the role permits; this stands for it with every role. A service may have had a
-- permission of this name.
INSERT INTO role_permissions (role_id, permission) SELECT id, 'roles.give-any' FROM roles WHERE name = 'admin' ON CONFLICT DO NOTHING;
